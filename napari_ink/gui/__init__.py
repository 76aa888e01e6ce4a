"""Window: panels, the session behind them, and napari's layers. The only package that uses napari and Qt."""
