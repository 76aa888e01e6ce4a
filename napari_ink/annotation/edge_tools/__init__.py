"""Edge-aware tools: livewire, edge brush, fill, grow and line fragments."""
