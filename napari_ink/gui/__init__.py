"""The window: panels, the session behind them, and napari's layers. The only room that knows napari and Qt."""
