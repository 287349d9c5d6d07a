"""Writes corpus.json: some 500 lines that tokenizers stumble over. No line is anybody's text; all are put together here."""

import json
import random
import sys
import unicodedata
from pathlib import Path

SPACES = ["", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", " \n ", "\n  x", "a  b", "a   b", " a", "  a", "a ", "a  ", "\ta", "a\t\tb", "\u00a0", "a\u00a0b",
          "\u3000", "日\u3000本", "\u2003em", "\u200b", "a\u200bb", "\u2028", "\ufeff", "\u0085", "\x0b", "\x0c", "x\n\n\ny", "\n \n \n", "    if x:\n        y = 1\n",
          "\t\tfor (;;) {\n\t\t}\n", "end   \n", "...\n\n...", " \t \t", "a\n b\n  c\n   d"]
WORDS = ["hello", "Hello", "HELLO", "hElLo", "I'm", "you're", "WE'LL", "don't", "it's", "'tis", "they'Ve", "o'clock", "naïve", "café", "cafe\u0301", "Ångström", "A\u030angstrom", "straße",
         "ﬁne", "İstanbul", "ı", "ǅ", "Ωmega", "ὦ", "\u0345", "fjǫrðr", "Việt Nam", "Vie\u0323\u0302t", "Čeština", "Łódź", "őű", "ñandú", "n\u0303", "ﬀ", "Ⅷ", "½", "x²", "H₂O", "№5", "™", "①②③",
         "中文", "我想在apple工作1314151天～", "日本語テキスト", "ひらがな", "カタカナ", "ｶﾀｶﾅ", "한국어", "한글", "ไทย", "ภาษาไทย", "हिन्दी", "বাংলা", "தமிழ்", "తెలుగు", "العربية", "عَرَبِيّ", "עברית", "שָׁלוֹם",
         "Русский", "Ё", "ё", "українська", "ქართული", "հայերեն", "አማርኛ", "កាន់តែពិសេសអាច", "မြန်မာ", "ᠮᠣᠩᠭᠣᠯ", "ᏣᎳᎩ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𠀀𠀁", "𓀀", "ꙮ"]
EMOJI = ["😀", "🚀 (normal)", "😶\u200d🌫️", "👨\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "❤", "☃", "⌚️", "1️⃣", "🦙🦙", "🧑🏿\u200d🚀", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "😀😀😀😀", "a😀b", "✅ ok"]
NUMBERS = ["0", "3 33 333 3333 33333 333333 3333333", "3.3 3..3 3...3", "1,234,567.89", "1e-10", "0xDEADBEEF", "2024-01-31T23:59:59Z", "+49 (0)30 1234-5678", "١٢٣", "१२३", "１２３", "12ab34", "v1.2.3-rc4", "٣٫١٤", "𝟙𝟚", "²³", "99%", "$5.00", "€10", "#1", "7th"]
CODE = ["def f(x):\n    return x**2  # square\n", "for(int i=0;i<10;++i){a[i]=b[i]>>1;}", "SELECT * FROM t WHERE a <> 'b';", "<html><body class=\"x\">&amp;</body></html>", "{\"a\": [1, 2.5, null], \"b\": \"\\u00e9\\n\"}",
        "#!/bin/sh\nset -eu\necho \"$HOME\" | sed 's/a/b/g'", "x = a if b else c", "fn main() -> Result<(), Box<dyn Error>> {", "let s = \"\\\"quoted\\\"\";", "/* comment */ // line", "a_b_c", "camelCaseWord", "snake_case_word", "SCREAMING_CASE",
        "kebab-case-word", "http://example.org/a?b=c&d=e#f", "user@example.org", "C:\\Users\\x", "../../etc", "a&&b||!c", "i++ + ++j", "=>", "!==", "::", "->", "...", "``` code ```", "---", "===", "***", "|a|b|", "\\frac{1}{2}", "$$x^2$$", "~!@#$%^&*()_+`-={}|[]\\:\";'<>?,./"]
ODD = ["\ufffd", "\ufffd\ufffd", "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"), "a\ufffdb", "\x00", "a\x00b", "\x01\x02", "\x7f", "\u202eabc\u202c", "\u200e\u200f", "\u0301", " \u0301", "e\u0301\u0301\u0301", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
       "▁", "▁▁a", "a▁b", "Ġ", "Ċ", "<0x41>", "<0x0A>", "##a", "[UNK]", "[CLS]", "<unk>", "<pad>", "<s", "s>", "<|", "|>", "<|im", "｜", "''''''```````\"\"\"\"......!!!!!!??????", "\uffff", "\U0010ffff", "\ue000", "ß"*30, "a"*100, " "*50, "\n"*20, "é"*20, "中"*30, "ab"*40, "\u0e33", "ﷺ", "㎏", "ﾊﾟ"]
SPECIAL = ["<|endoftext|>", "a<|endoftext|>b", "<|im_start|>user\nhi<|im_end|>\n", "<s>a</s>", " <s> a", "<bos>x<eos>", "<start_of_turn>user\nhello<end_of_turn>\n", "<|user|>\nhi<|end|>\n<|assistant|>", "[CLS] a [SEP]", "[INST] hi [/INST]", "<mask>", "x <mask> y", "<think>\nhm\n</think>"]


def lines():
    every = SPACES + WORDS + EMOJI + NUMBERS + CODE + ODD + SPECIAL
    choose = random.Random(16)
    plain = WORDS + EMOJI + NUMBERS + CODE[-24:]
    joints = [" ", "  ", "\n", "", "\t", ", ", ". ", "'", "\u00a0", " - "]
    while len(every) < 500:
        parts = [choose.choice(plain) for _ in range(choose.randint(2, 5))]
        text = parts[0]
        for part in parts[1:]:
            text += choose.choice(joints) + part
        if choose.random() < 0.1:
            text = unicodedata.normalize(choose.choice(["NFD", "NFC", "NFKC"]), text)
        every.append(text)
    return every


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(lines(), ensure_ascii=True, indent=0) + "\n")
