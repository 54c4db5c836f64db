"""Write the test vectors anew: `python -m tools.vectors`. A test compares them with what this would write."""

from tools.vectors.files import FOLDER, regenerated

FOLDER.mkdir(exist_ok=True)
for name, text in regenerated().items():
    (FOLDER / name).write_text(text, "utf-8")
