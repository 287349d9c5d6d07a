#include "Shared.hpp"
#include "common.h"
#include "json.h"
#include "json-schema-to-grammar.h"
#include "llama.h"
#include <cctype>
#include <cmath>
#include <vector>

struct omni_grammar {
    llama_sampler * sampler = nullptr;
    ~omni_grammar() { if (sampler != nullptr) llama_sampler_free(sampler); }
};

/// The triggers of a lazy grammar as the sampler takes them: patterns and tokens.
struct Triggers {
    std::vector<std::string> patterns;
    std::vector<llama_token> tokens;

    Triggers(const llama_vocab * vocab, const common_json & list) {
        for (const auto & entry : list) {
            const auto value = entry.at("value").get<std::string>();
            switch ((common_grammar_trigger_type) entry.at("type").get<int>()) {
                case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN: tokens.push_back(entry.at("token").get<int>()); break;
                case COMMON_GRAMMAR_TRIGGER_TYPE_WORD: {
                    const auto ids = common_tokenize(vocab, value, false, true);
                    if (ids.size() == 1) tokens.push_back(ids[0]); else patterns.push_back(regex_escape(value));
                    break;
                }
                case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN: patterns.push_back(value); break;
                case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL: {
                    const bool opens = !value.empty() && value.front() == '^';
                    const bool closes = !value.empty() && value.back() == '$';
                    patterns.push_back((opens ? "" : "^") + value + (closes ? "" : "$"));
                    break;
                }
            }
        }
    }
};

extern "C" {

char * omni_grammar_of_schema(const char * schema, char ** error) {
    return omni_guarded(error, [&]() -> char * { return omni_copy(json_schema_to_grammar(common_json::parse(schema))); });
}

omni_grammar * omni_grammar_open(const llama_vocab * vocab, const char * applied_text, char ** error) {
    return omni_guarded(error, [&]() -> omni_grammar * {
        const common_json applied = common_json::parse(applied_text);
        const auto text = applied.at("grammar").get<std::string>();
        auto grammar = std::make_unique<omni_grammar>();
        if (applied.value("grammar_lazy", false)) {
            const Triggers triggers(vocab, applied.at("grammar_triggers"));
            std::vector<const char *> patterns;
            for (const auto & pattern : triggers.patterns) patterns.push_back(pattern.c_str());
            grammar->sampler = llama_sampler_init_grammar_lazy_patterns(
                vocab, text.c_str(), "root", patterns.data(), patterns.size(), triggers.tokens.data(), triggers.tokens.size());
        } else {
            grammar->sampler = llama_sampler_init_grammar(vocab, text.c_str(), "root");
        }
        if (grammar->sampler == nullptr) throw std::runtime_error("the grammar cannot be read");

        // The template has already written the first words of the answer; the grammar must have seen them.
        const auto begun = applied.value("generation_prompt", "");
        if (!applied.value("grammar_lazy", false) && !begun.empty()) {
            const auto tokens = common_tokenize(vocab, begun, false, true);
            for (size_t i = 0; i < tokens.size(); i++) {
                const auto piece = common_token_to_piece(vocab, tokens[i], true);
                const bool blank = !piece.empty() && std::isspace((unsigned char) piece[0]);
                if (i == 0 && blank && !std::isspace((unsigned char) begun[0])) continue;
                llama_sampler_accept(grammar->sampler, tokens[i]);
            }
        }
        return grammar.release();
    });
}

void omni_grammar_close(omni_grammar * grammar) { delete grammar; }

bool omni_grammar_allows(const omni_grammar * grammar, int32_t token) {
    llama_token_data candidate = { token, 1.0f, 0.0f };
    llama_token_data_array candidates = { &candidate, 1, -1, false };
    llama_sampler_apply(grammar->sampler, &candidates);
    return candidate.logit != -INFINITY;
}

void omni_grammar_filter(const omni_grammar * grammar, float * logits, int32_t count) {
    std::vector<llama_token_data> candidates;
    candidates.reserve(count);
    for (int32_t i = 0; i < count; i++) {
        if (logits[i] != -INFINITY) candidates.push_back({ i, logits[i], 0.0f });
    }
    llama_token_data_array list = { candidates.data(), candidates.size(), -1, false };
    llama_sampler_apply(grammar->sampler, &list);
    for (size_t i = 0; i < list.size; i++) logits[list.data[i].id] = list.data[i].logit;
}

bool omni_grammar_accept(omni_grammar * grammar, int32_t token) {
    try {
        llama_sampler_accept(grammar->sampler, token);
        return true;
    } catch (...) {
        return false;
    }
}

}
