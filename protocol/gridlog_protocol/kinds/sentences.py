"""What a worker reads when a value is refused. A sentence names the field and says what to do.

It never repeats the value: sentences reach logs and screens that the value must not.
"""

from __future__ import annotations

from gridlog_protocol.texts import Text

SENTENCES: dict[str, Text] = {
    "required": Text("请填写“{label}”。", "Fill in “{label}”."),
    "wrong_type": Text(
        "“{label}”的内容不对，请重新填写。", "“{label}” holds the wrong kind of value. Enter it again."
    ),
    "not_text": Text(
        "“{label}”里有无法保存的字符，请重新输入。",
        "“{label}” has characters that cannot be stored. Type it again.",
    ),
    "too_long": Text(
        "“{label}”最多 {limit} 个字，请删短一些。",
        "“{label}” may have at most {limit} characters. Shorten it.",
    ),
    "too_short": Text(
        "“{label}”至少 {limit} 个字，请补充。",
        "“{label}” needs at least {limit} characters. Say a little more.",
    ),
    "pattern": Text("“{label}”格式不对。{hint}", "“{label}” is not in the right form. {hint}"),
    "forbidden_id_number": Text(
        "“{label}”里有身份证号，不能保存，请删除。",
        "“{label}” contains a resident ID number, which may not be stored. Remove it.",
    ),
    "not_an_option": Text("请在“{label}”的选项里选择。", "Choose one of the options of “{label}”."),
    "not_a_code": Text(
        "“{label}”不是有效的代码，请从列表中选择。",
        "“{label}” is not a valid code. Choose it from the list.",
    ),
    "not_a_number": Text("“{label}”请填整数。", "Enter a whole number for “{label}”."),
    "not_an_amount": Text("“{label}”请填数字，例如 {example}。", "Enter “{label}” as a number such as {example}."),
    "too_small": Text("“{label}”不能小于 {limit}。", "“{label}” may not be below {limit}."),
    "too_large": Text("“{label}”不能大于 {limit}。", "“{label}” may not be above {limit}."),
    "not_a_moment": Text("“{label}”请选择日期和时间。", "Choose a date and time for “{label}”."),
    "not_a_day": Text("“{label}”请选择日期。", "Choose a date for “{label}”."),
    "not_a_place": Text("“{label}”的位置无效，请重新定位。", "“{label}” is not a valid place. Locate it again."),
    "not_a_shape": Text(
        "“{label}”的范围无效：每圈至少四个点，首尾相同。",
        "“{label}” is not a valid area: each ring has at least four points and ends where it began.",
    ),
    "too_many_items": Text(
        "“{label}”最多 {limit} 项，请删去一些。", "“{label}” may have at most {limit} items. Remove some."
    ),
    "too_few_items": Text(
        "“{label}”至少要有 {limit} 项，请补充。", "“{label}” needs at least {limit} items. Add some."
    ),
    "duplicate_item": Text("“{label}”里有重复的项，请删去一个。", "“{label}” has the same item twice. Remove one."),
    "unknown_member": Text(
        "“{label}”里有本版本不认识的内容，请先更新程序。",
        "“{label}” has a part that this version does not know. Update the app first.",
    ),
    "wrong_key": Text(
        "“{label}”这一项的标识不对，请重新添加。", "This item of “{label}” has a wrong id. Add it again."
    ),
    "in_future": Text("“{label}”晚于现在，请核对时间。", "“{label}” lies in the future. Check the time."),
    "too_old": Text(
        "“{label}”早于 {limit} 天前，请先写一条批注说明原因。",
        "“{label}” is more than {limit} days ago. Add a comment that says why.",
    ),
}


def sentence(rule: str, label: Text, **facts: Text | str | int) -> Text:
    """Return the sentence for a broken rule about the field called `label`."""
    template = SENTENCES[rule]
    spoken_zh = {name: _spoken(fact, is_chinese=True) for name, fact in facts.items()}
    spoken_en = {name: _spoken(fact, is_chinese=False) for name, fact in facts.items()}
    return Text(
        template.zh.format(label=label.zh, **spoken_zh),
        template.en.format(label=label.en, **spoken_en),
    )


def part_of(whole: Text, part: Text) -> Text:
    """Return the name of a member as a worker would say it: the field, then the member."""
    return Text(f"{whole.zh}·{part.zh}", f"{whole.en}: {part.en}")


def _spoken(fact: Text | str | int, *, is_chinese: bool) -> str:
    if isinstance(fact, Text):
        return fact.zh if is_chinese else fact.en
    return str(fact)
