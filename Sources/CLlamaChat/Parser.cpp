#include "Shared.hpp"
#include "chat.h"

struct omni_parser {
    common_chat_parser_params params;
};

extern "C" {

omni_parser * omni_parser_open(const char * applied_text, bool tool_calls, char ** error) {
    return omni_guarded(error, [&]() -> omni_parser * {
        const common_json applied = common_json::parse(applied_text);
        common_chat_parser_params params;
        params.format = (common_chat_format) applied.at("format").get<int>();
        params.generation_prompt = applied.at("generation_prompt").get<std::string>();
        params.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
        params.parse_tool_calls = tool_calls;
        const auto arena = applied.at("parser").get<std::string>();
        if (!arena.empty()) params.parser.load(arena);
        return new omni_parser { std::move(params) };
    });
}

void omni_parser_close(omni_parser * parser) { delete parser; }

char * omni_parser_read(const omni_parser * parser, const char * text, size_t length, bool partial, char ** error) {
    return omni_guarded(error, [&]() -> char * {
        const common_chat_msg message = common_chat_parse(std::string(text, length), partial, parser->params);
        common_json calls = common_json::array();
        for (const auto & call : message.tool_calls) {
            common_json entry = common_json::object();
            entry["name"] = call.name;
            entry["arguments"] = call.arguments;
            calls.push_back(entry);
        }
        common_json result = common_json::object();
        result["content"] = message.render_content("");
        result["reasoning_content"] = message.reasoning_content;
        result["tool_calls"] = calls;
        return omni_copy(result.dump_safe());
    });
}

}
