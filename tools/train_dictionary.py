"""Train a dictionary for compression: `python -m tools.train_dictionary NUMBER`.

It learns from requests and answers that carry records of the training half of the vocabulary: what all messages have
in common stays, and what is measured is unknown to it. A dictionary that was shipped never changes, since messages
name it: the tool writes no file twice. The next number belongs into `compression.SHIPPED`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import zstandard

from gridlog_protocol.codec import packed
from gridlog_protocol.compression import DICTIONARY_BYTES_MAX
from tools.bench.messages import dialogues
from tools.demo.vocabulary import TRAINING

FOLDER = Path(__file__).parents[1] / "protocol" / "gridlog_protocol" / "dictionaries"
STREETS = 40
RECORDS = 100
SIZES = (1, 3, 20, 20, 20)
"""Records in one message: short ones teach what every message has in common, long ones what texts have."""


def samples(streets: int, records: int) -> list[bytes]:
    """Return the messages of so many streets, as they are before compression."""
    return [
        packed(message)
        for seed in range(1, streets + 1)
        for message in dialogues(records, seed=seed, half=TRAINING, sizes=SIZES)
    ]


def trained(messages: list[bytes]) -> bytes:
    """Return the dictionary of these messages. The same messages and the same libzstd give the same bytes.

    The algorithm is COVER with segments of 256 bytes. Source: Liao, Petri et al., "Effective Construction of Relative
    Lempel-Ziv Dictionaries" (2016), as libzstd has it.
    """
    return zstandard.train_dictionary(DICTIONARY_BYTES_MAX, [*messages], k=256, d=8, level=9).as_bytes()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_dictionary", description=__doc__)
    parser.add_argument("number", type=int, help="of the new dictionary, above all that were shipped")
    path = FOLDER / f"{parser.parse_args().number}.zdict"
    if path.exists():
        sys.exit(f"{path.name} was shipped and stays as it is. Take the next number.")
    dictionary = trained(samples(STREETS, RECORDS))
    path.write_bytes(dictionary)
    print(f"{path.name}: {len(dictionary)} bytes, SHA-256 {hashlib.sha256(dictionary).hexdigest()}")


if __name__ == "__main__":
    main()
