"""Models that others publish, which can be downloaded and opened: what each reads, and how it was scored.

Nothing is downloaded by this program. Scores are those of public reports, of different regions, and can't be compared
with one another unless they name the same one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model that others publish.

    Attributes
    ----------
    name
        Name that it is published under.
    address
        Page to download it from; empty if it is not known here.
    licence
        Licence of the weights, in words.
    reads
        What it reads, in words.
    scored
        What was reported about it, in words; empty without a report.
    """

    name: str
    address: str
    licence: str
    reads: str
    scored: str = ""


_SEE_CARD = "see the model card"
_NINE_UM = "17 layers of 9.6 µm, tiles of 128 pixels"
PUBLISHED_MODELS = (
    PublishedModel(
        "ink_9um (hybrid_3d2d-seed42, -seed43)",
        "https://huggingface.co/scrollprize/ink_9um",
        _SEE_CARD,
        _NINE_UM,
        "14 files of this family on one region: balanced accuracy .68 to .82",
    ),
    PublishedModel(
        "reader-v2",
        "https://huggingface.co/domenicor046/reader-v2",
        "MIT",
        _NINE_UM,
        "10 % of blank papyrus marked as ink, at the recall at which Hecate marks 58 %",
    ),
    PublishedModel("reader-v3", "", _SEE_CARD, _NINE_UM, "PHerc0841: AUC .913; reversed depth is chance"),
    PublishedModel("argus-v3", "", _SEE_CARD, _NINE_UM, "PHerc0841: AUC .924"),
    PublishedModel("ink9um-dense-native", "https://huggingface.co/Nieuwlaar/ink9um-dense-native", "MIT", _NINE_UM),
    PublishedModel(
        "Hecate",
        "https://huggingface.co/scrollprize/hecate",
        _SEE_CARD,
        "64 layers of 2.4 µm, tiles of 256 pixels; or 16 layers of 9.6 µm, tiles of 64 pixels",
        "58 % of blank papyrus marked as ink, at the recall at which reader-v2 marks 10 %",
    ),
    PublishedModel(
        "ink_canonical_2um",
        "https://huggingface.co/scrollprize/ink_canonical_2um",
        _SEE_CARD,
        "62 layers of 2.4 µm, tiles of 256 pixels",
    ),
    PublishedModel(
        "v8-in",
        "https://huggingface.co/YoussefMoNader/ink-8um-v8in",
        "MIT",
        "24 layers of 8 µm, tiles of 64 pixels",
        "PHerc0139 w045, 640 pixels: AUC .738, where ink_9um has .907 but was trained on it",
    ),
    PublishedModel(
        "Grand Prize 2023 TimeSformer",
        "https://github.com/younader/Vesuvius-Grandprize-Winner",
        "see the repository",
        "26 layers of 7.91 µm, tiles of 64 pixels",
    ),
)
"""The models that this program opens, as far as they were known in November 2026."""
