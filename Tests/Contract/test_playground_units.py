"""The playground's modules one by one, as the browser runs them: what they compute, without a model."""
import ast
import json

import pytest


@pytest.fixture
def run(visit):
    """Evaluates an expression, or a block that returns, over a module: `m` is what it exports, `v` what the test gives."""
    page = visit("/docs").page

    def run(module, expression, **values):
        return page.evaluate("async ([path, v]) => { const m = await import(path); return await (async () => EXPRESSION)(); }".replace("EXPRESSION", expression), [f"/pages/{module}.js", values])

    return run


@pytest.mark.parametrize("value, text", [
    (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (100 * 1024, "100 KiB"), (1536, "1.5 KiB"), (5 * 1024**3, "5.0 GiB"), (3 * 1024**5, "3072 TiB"), (None, "–"),
])
def test_bytes(run, value, text):
    assert run("dom", "m.bytes(v.value)", value=value) == text


@pytest.mark.parametrize("value, text", [(0.0123, "12 ms"), (1.26, "1.3 s"), (12.6, "13 s"), (90, "1 min 30 s"), (3600, "60 min 0 s")])
def test_seconds(run, value, text):
    assert run("dom", "m.seconds(v.value)", value=value) == text


def test_base64(run):
    assert run("dom", "Array.from(m.fromBase64('AP+A'))") == [0, 255, 128]


@pytest.mark.parametrize("text, html", [
    ("plain", "<p>plain</p>"),
    ("a < b & c", "<p>a &lt; b &amp; c</p>"),
    ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>"),
    ("<b>no</b>", "<p>&lt;b&gt;no&lt;/b&gt;</p>"),
])
def test_markdown(run, text, html):
    made = run("markdown", "{ const box = document.createElement('div'); box.append(...[m.blocks(v.text)].flat()); return box.innerHTML; }", text=text)
    assert made == html


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_events_however_the_bytes_are_cut(run, cut):
    """Events, comments and characters of several bytes, in pieces of any size."""
    stream = ": denoise 1/4\n\nevent: done\ndata: {\"text\": \"grün 🦊\"}\n\ndata: [DONE]\n\n"
    found = run("api", """{
        const bytes = new TextEncoder().encode(v.stream), found = [];
        const body = new ReadableStream({ start(stream) {
            for (let place = 0; place < bytes.length; place += v.cut) stream.enqueue(bytes.slice(place, place + v.cut));
            stream.close();
        } });
        for await (const event of m.events(new Response(body))) found.push(event);
        return found;
    }""", stream=stream, cut=cut)
    assert found[0] == {"comment": "denoise 1/4"}
    assert found[1]["event"] == "done" and found[1]["data"] == {"text": "grün 🦊"}
    assert len(found) == 2


@pytest.mark.parametrize("text", ["plain", 'it\'s "x"', "back\\slash \\(id) $(id) `id`", "two\nlines", "grün 🦊"])
def test_strings_in_code(run, text):
    """What somebody has typed is a string in each language, never code."""
    assert ast.literal_eval(run("snippets", "m.py(v.text)", text=text)) == text
    # Swift's literals with these escapes are JSON's.
    assert json.loads(run("snippets", "m.sw(v.text)", text=text)) == text
