#include "Shared.hpp"
#include "chat.h"
#include "peg-parser.h"
#include "log.h"
#include <set>
#include <sstream>

struct omni_templates {
    common_chat_templates_ptr templates;
    bool reason = false;
    bool tools = false;
};

static omni_templates * opened(common_chat_templates_ptr templates) {
    auto * result = new omni_templates { std::move(templates) };
    try {
        result->reason = common_chat_templates_support_enable_thinking(result->templates.get());
    } catch (const std::exception &) {
        // A template that refuses the probe is asked again, in full, by every request.
        result->reason = true;
    }
    const auto caps = common_chat_templates_get_caps(result->templates.get());
    const auto has = [&](const char * name) { const auto found = caps.find(name); return found != caps.end() && found->second; };
    result->tools = has("supports_tools") || has("supports_tool_calls");
    return result;
}

static common_json triggers_json(const std::vector<common_grammar_trigger> & triggers) {
    common_json list = common_json::array();
    for (const auto & trigger : triggers) {
        common_json entry = common_json::object();
        entry["type"] = (int) trigger.type;
        entry["value"] = trigger.value;
        entry["token"] = (int) trigger.token;
        list.push_back(entry);
    }
    return list;
}

/// Texts at which words may end: marks of reasoning, of calls, of values.
static common_json marks_json(const common_peg_arena & arena) {
    common_json list = common_json::array();
    for (size_t i = 0; i < arena.size(); i++) {
        if (const auto * until = std::get_if<common_peg_until_parser>(&arena.get(i))) {
            for (const auto & mark : until->delimiters) list.push_back(mark);
        }
    }
    return list;
}

/// The grammar of a forced call, in which a template's parser leaves room for words before it: without them.
static std::string without_preamble(const std::string & grammar, const common_peg_arena & arena) {
    std::set<std::string> preambles;
    for (size_t i = 0; i < arena.size(); i++) {
        const auto * tag = std::get_if<common_peg_tag_parser>(&arena.get(i));
        if (tag == nullptr || tag->tag != "content" || !std::holds_alternative<common_peg_until_parser>(arena.get(tag->child))) continue;
        preambles.insert("until-" + std::to_string(tag->child) + " ::= ");
    }
    std::string result, line;
    std::istringstream lines(grammar);
    while (std::getline(lines, line)) {
        const auto sign = line.find(" ::= ");
        if (sign != std::string::npos && preambles.count(line.substr(0, sign + 5)) > 0) line = line.substr(0, sign + 5) + "\"\"";
        result += line + "\n";
    }
    return result;
}

extern "C" {

void omni_text_free(char * text) { free(text); }

omni_templates * omni_templates_open(const llama_model * model, const char * source, char ** error) {
    return omni_guarded(error, [&]() -> omni_templates * {
        common_log_pause(common_log_main());
        return opened(common_chat_templates_init(model, source != nullptr ? source : ""));
    });
}

omni_templates * omni_templates_open_source(const char * source, const char * bos, const char * eos, char ** error) {
    return omni_guarded(error, [&]() -> omni_templates * {
        common_log_pause(common_log_main());
        return opened(common_chat_templates_init(nullptr, source, bos, eos));
    });
}

void omni_templates_close(omni_templates * templates) { delete templates; }

bool omni_templates_reason(const omni_templates * templates) { return templates->reason; }

bool omni_templates_tools(const omni_templates * templates) { return templates->tools; }

char * omni_templates_apply(const omni_templates * templates, const char * request_text, char ** error) {
    return omni_guarded(error, [&]() -> char * {
        const common_json request = common_json::parse(request_text);
        common_chat_templates_inputs inputs;
        inputs.messages = common_chat_msgs_parse_oaicompat(request.at("messages"));
        if (request.contains("tools")) inputs.tools = common_chat_tools_parse_oaicompat(request.at("tools"));
        inputs.tool_choice = common_chat_tool_choice_parse_oaicompat(request.value("tool_choice", "auto"));
        inputs.parallel_tool_calls = request.value("parallel_tool_calls", false);
        inputs.add_generation_prompt = request.value("add_generation_prompt", true);
        inputs.enable_thinking = request.value("enable_thinking", true);
        inputs.force_pure_content = request.value("plain", false);
        inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
        if (request.contains("json_schema")) inputs.json_schema = request.at("json_schema").dump();
        if (request.contains("chat_template_kwargs")) {
            for (const auto & entry : request.at("chat_template_kwargs").items()) {
                inputs.chat_template_kwargs[entry.key()] = entry.value().dump();
            }
        }

        const common_chat_params params = common_chat_templates_apply(templates->templates.get(), inputs);
        common_peg_arena arena;
        if (!params.parser.empty()) arena.load(params.parser);
        const bool forced = inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED && !params.grammar_lazy;
        common_json applied = common_json::object();
        applied["prompt"] = params.prompt;
        applied["format"] = (int) params.format;
        applied["parser"] = params.parser;
        applied["generation_prompt"] = params.generation_prompt;
        applied["grammar"] = forced ? without_preamble(params.grammar, arena) : params.grammar;
        applied["grammar_lazy"] = params.grammar_lazy;
        applied["grammar_triggers"] = triggers_json(params.grammar_triggers);
        applied["additional_stops"] = params.additional_stops;
        applied["preserved_tokens"] = params.preserved_tokens;
        applied["marks"] = marks_json(arena);
        return omni_copy(applied.dump_safe());
    });
}

}
