"""What a model was trained on, and whether a stack lies outside of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_ink.model.cards import recommended_thresholds
from napari_ink.model.known_texture import KnownTexture

# Beyond the lowest and highest figure of the training data, as a share of the distance between them.
_MARGIN = 0.25
_LEAST_MARGIN = 0.02
_WORDS = {
    "grain": ("coarser grain", "finer grain"),
    "texture": ("coarser texture", "finer texture"),
    "coarse texture": ("more even stripes or patches", "smaller patches"),
    "layers": ("layers more alike", "layers less alike"),
    "patches": ("brighter and darker places", "more even brightness"),
}
_MOST_TRAININGS = 8
_OWN_TRAINING = "benchmarks/train_shipped.py"


class TrainedOn(BaseModel):
    """What a model was trained on, as its card states under ``trained_on``.

    Attributes
    ----------
    scans
        Number of real scans.
    phantoms
        Number of phantoms.
    figures
        Lowest and highest of each of a stack's `texture_figures` among them.
    places
        Texture at places of the stacks: of each training that the model went through.
    """

    model_config = ConfigDict(frozen=True)

    scans: int
    phantoms: int = 0
    figures: dict[str, tuple[float, float]] = {}
    places: tuple[KnownTexture, ...] = ()

    @classmethod
    def of_card(cls, provenance: Mapping[str, Any]) -> Self | None:
        """Return what a model's provenance states; None if it states nothing."""
        if "trained_on" not in provenance and provenance.get("made_by") == _OWN_TRAINING:
            return cls(scans=0)  # checkpoints of before were trained on phantoms alone
        try:
            return cls.model_validate(provenance.get("trained_on"))
        except ValidationError:
            return None

    @classmethod
    def of_stacks(
        cls, figures: Sequence[Mapping[str, float]], scans: int, phantoms: int, places: KnownTexture | None = None
    ) -> Self:
        """Return the ranges of the figures of all stacks that were trained on."""
        names = sorted({name for each in figures for name in each})
        values = {name: [each[name] for each in figures if name in each] for name in names}
        return cls(
            scans=scans,
            phantoms=phantoms,
            figures={name: (min(each), max(each)) for name, each in values.items()},
            places=() if places is None else (places,),
        )

    def joined_with(self, start: TrainedOn | None) -> Self:
        """Return what a model was trained on that started from another."""
        if start is None:
            return self
        figures = {
            name: (min(each[0] for each in ranges), max(each[1] for each in ranges))
            for name in sorted({*self.figures, *start.figures})
            if (ranges := [one.figures[name] for one in (self, start) if name in one.figures])
        }
        return self.model_copy(
            update={
                "scans": self.scans + start.scans,
                "phantoms": self.phantoms + start.phantoms,
                "figures": figures,
                "places": (*start.places, *self.places)[-_MOST_TRAININGS:],
            }
        )

    def outside(self, figures: Mapping[str, float]) -> Iterator[str]:
        """Yield in words which figures of a stack lie outside of the training data, with the figure and its range."""
        for name, (low, high) in self.figures.items():
            if name not in figures or name not in _WORDS:
                continue
            margin = max(_MARGIN * (high - low), _LEAST_MARGIN)
            if not low - margin <= figures[name] <= high + margin:
                more, less = _WORDS[name]
                words = more if figures[name] > high else less
                yield f"{words}: {figures[name]:z.2f}, in training {low:.2f} to {high:.2f}"


def on_familiarity(provenance: Mapping[str, Any], figures: Mapping[str, float], is_phantom: bool) -> tuple[str, ...]:
    """Return a sentence if a stack lies outside of what a model was trained on.

    Parameters
    ----------
    provenance
        The model's provenance. A model that was taught on a segment is not asked, since its strokes have judged it.
    figures
        The stack's `texture_figures`.
    is_phantom
        Whether the stack is a simulation.
    """
    trained_on = TrainedOn.of_card(provenance)
    if trained_on is None or "taught" in provenance:
        return ()
    reasons = list(trained_on.outside(figures))
    if not is_phantom and not trained_on.scans:
        reasons.insert(0, "no scan was among it, only simulated papyri")
    if not reasons:
        return ()
    return (
        f"Treat the map as a hint: this stack lies outside of what the model was trained on ({'; '.join(reasons)}). "
        "Check it on strokes you know.",
    )


# Ink covers some 4 to 15 % of pages; a model draws strokes broader than they are, and the emptiest pages have less.
_PAGE = (0.005, 0.25)
_CERTAIN = 0.9
_LEAST_PX = 4096


def on_ink(histogram: Sequence[int], provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence if a map marks more ink than pages have, or if hardly any ink stands out on it.

    Parameters
    ----------
    histogram
        Number of predicted pixels at each level, 0 to 255.
    provenance
        The model's: the threshold of ink, and under ``clear_ink`` which ``share`` of a map must reach
        which ``probability`` to tell a written page from a blank one; without that, a fixed share must be marked.
    """
    counts = np.asarray(histogram, dtype=np.int64)
    total = int(counts.sum())
    if total < _LEAST_PX:
        return ()
    levels = np.arange(len(counts)) / (len(counts) - 1)
    cut = recommended_thresholds(provenance)["ink"]
    marked, certain = (float(counts[levels >= at].sum()) / total for at in (cut, max(_CERTAIN, cut)))
    if marked > _PAGE[1]:
        return (
            f"The map marks {marked:.0%} as ink ({certain:.0%} with a probability of at least {_CERTAIN}), more than "
            "pages have (some 4 to 15%): much of it may be no ink.",
        )
    share, probability = _clear_ink(provenance) or (_PAGE[0], cut)
    clear = float(counts[levels >= probability].sum()) / total
    if clear < share:
        return (
            f"Hardly any ink is clear: {clear:.1%} of the map reaches a probability of {probability:.2f}; below "
            f"{share:.1%} a written page can hardly be told from a blank one, and what it marks ({marked:.1%}) may be "
            "no ink.",
        )
    return ()


def _clear_ink(provenance: Mapping[str, Any]) -> tuple[float, float] | None:
    stated = provenance.get("clear_ink")
    if not isinstance(stated, Mapping):
        return None
    share, probability = (stated.get(name) for name in ("share", "probability"))
    if not (isinstance(share, float) and isinstance(probability, float) and 0 < share < 1 and 0 < probability < 1):
        return None
    return share, probability
