"""The registry of published data sets. A new one needs one module and one entry here."""

from mafnet.dataset.sources import ave, kinetics, ucf51
from mafnet.dataset.sources.base import Source

SOURCES: dict[str, Source] = {
    source.name: source for source in (ave.SOURCE, ucf51.SOURCE, kinetics.SOURCE)
}
