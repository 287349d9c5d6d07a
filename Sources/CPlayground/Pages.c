// The compiler puts the files into the program, so that it needs no folder beside it.
#pragma clang diagnostic ignored "-Wc23-extensions"

#include "CPlayground.h"

static const unsigned char index_html[] = {
#embed "Web/index.html"
};
static const unsigned char docs_html[] = {
#embed "Web/docs.html"
};
static const unsigned char icon_svg[] = {
#embed "Web/icon.svg"
};
static const unsigned char base_css[] = {
#embed "Web/base.css"
};
static const unsigned char parts_css[] = {
#embed "Web/parts.css"
};
static const unsigned char docs_css[] = {
#embed "Web/docs.css"
};
static const unsigned char theme_js[] = {
#embed "Web/theme.js"
};
static const unsigned char dom_js[] = {
#embed "Web/dom.js"
};
static const unsigned char api_js[] = {
#embed "Web/api.js"
};
static const unsigned char snippets_js[] = {
#embed "Web/snippets.js"
};
static const unsigned char markdown_js[] = {
#embed "Web/markdown.js"
};
static const unsigned char app_js[] = {
#embed "Web/app.js"
};
static const unsigned char chat_js[] = {
#embed "Web/chat.js"
};
static const unsigned char images_js[] = {
#embed "Web/images.js"
};
static const unsigned char canvas_js[] = {
#embed "Web/canvas.js"
};
static const unsigned char voices_js[] = {
#embed "Web/voices.js"
};
static const unsigned char transcripts_js[] = {
#embed "Web/transcripts.js"
};
static const unsigned char talk_js[] = {
#embed "Web/talk.js"
};
static const unsigned char capture_js[] = {
#embed "Web/capture.js"
};
static const unsigned char player_js[] = {
#embed "Web/player.js"
};
static const unsigned char videos_js[] = {
#embed "Web/videos.js"
};
static const unsigned char models_js[] = {
#embed "Web/models.js"
};
static const unsigned char metrics_js[] = {
#embed "Web/metrics.js"
};
static const unsigned char docs_js[] = {
#embed "Web/docs.js"
};

#define PAGE(variable, name, type) {name, type, variable, sizeof variable}

static const struct omni_page pages[] = {
    PAGE(index_html, "index.html", "text/html; charset=utf-8"),
    PAGE(docs_html, "docs.html", "text/html; charset=utf-8"),
    PAGE(icon_svg, "icon.svg", "image/svg+xml"),
    PAGE(base_css, "base.css", "text/css; charset=utf-8"),
    PAGE(parts_css, "parts.css", "text/css; charset=utf-8"),
    PAGE(docs_css, "docs.css", "text/css; charset=utf-8"),
    PAGE(theme_js, "theme.js", "text/javascript; charset=utf-8"),
    PAGE(dom_js, "dom.js", "text/javascript; charset=utf-8"),
    PAGE(api_js, "api.js", "text/javascript; charset=utf-8"),
    PAGE(snippets_js, "snippets.js", "text/javascript; charset=utf-8"),
    PAGE(markdown_js, "markdown.js", "text/javascript; charset=utf-8"),
    PAGE(app_js, "app.js", "text/javascript; charset=utf-8"),
    PAGE(chat_js, "chat.js", "text/javascript; charset=utf-8"),
    PAGE(images_js, "images.js", "text/javascript; charset=utf-8"),
    PAGE(canvas_js, "canvas.js", "text/javascript; charset=utf-8"),
    PAGE(voices_js, "voices.js", "text/javascript; charset=utf-8"),
    PAGE(transcripts_js, "transcripts.js", "text/javascript; charset=utf-8"),
    PAGE(talk_js, "talk.js", "text/javascript; charset=utf-8"),
    PAGE(capture_js, "capture.js", "text/javascript; charset=utf-8"),
    PAGE(player_js, "player.js", "text/javascript; charset=utf-8"),
    PAGE(videos_js, "videos.js", "text/javascript; charset=utf-8"),
    PAGE(models_js, "models.js", "text/javascript; charset=utf-8"),
    PAGE(metrics_js, "metrics.js", "text/javascript; charset=utf-8"),
    PAGE(docs_js, "docs.js", "text/javascript; charset=utf-8"),
};

const struct omni_page *omni_pages(size_t *count) {
    *count = sizeof pages / sizeof pages[0];
    return pages;
}
