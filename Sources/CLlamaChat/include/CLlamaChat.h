// What llama.cpp offers only in C++, as C: chat templates, the parser of what a model wrote, grammars; and the few loops
// over a vocabulary of logits that are worth a vector unit. No exception leaves these functions.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct llama_model;
struct llama_vocab;

/// Frees any text returned here.
void omni_text_free(char * text);

// ---- Chat templates -------------------------------------------------------------------------------------------------

typedef struct omni_templates omni_templates;

/// The model's own template, or `source` in its place. NULL on failure, with the reason in `*error`.
omni_templates * omni_templates_open(const struct llama_model * model, const char * source, char ** error);
/// A template without a model.
omni_templates * omni_templates_open_source(const char * source, const char * bos, const char * eos, char ** error);
void omni_templates_close(omni_templates * templates);
/// Whether the template speaks of reasoning, so that every answer has to be parsed.
bool omni_templates_reason(const omni_templates * templates);
/// Whether the template has a place for tools.
bool omni_templates_tools(const omni_templates * templates);

/// Renders a conversation. `request` is a JSON object: `messages`, and optionally `tools`, `tool_choice` (auto, none or
/// required), `parallel_tool_calls`, `add_generation_prompt`, `enable_thinking`, `chat_template_kwargs`, `json_schema`,
/// `plain` (no parser is wanted: skips the analysis of the template).
/// Returns a JSON object: `prompt`, `grammar`, `grammar_lazy`, `grammar_triggers`, `generation_prompt`, `parser`, `format`,
/// `additional_stops`, `preserved_tokens`, `marks` (texts at which words may end). The grammar of a required call has no room for
/// words before it.
char * omni_templates_apply(const omni_templates * templates, const char * request, char ** error);

// ---- What a model wrote ---------------------------------------------------------------------------------------------

typedef struct omni_parser omni_parser;

/// `applied` is what `omni_templates_apply` returned.
omni_parser * omni_parser_open(const char * applied, bool tool_calls, char ** error);
void omni_parser_close(omni_parser * parser);
/// The message in `text` so far, as a JSON object: `content`, `reasoning_content`, `tool_calls`.
char * omni_parser_read(const omni_parser * parser, const char * text, size_t length, bool partial, char ** error);

// ---- Grammars -------------------------------------------------------------------------------------------------------

typedef struct omni_grammar omni_grammar;

/// GBNF of a JSON schema.
char * omni_grammar_of_schema(const char * schema, char ** error);
/// `applied` is a JSON object with `grammar`, and optionally `grammar_lazy`, `grammar_triggers` and `generation_prompt`.
omni_grammar * omni_grammar_open(const struct llama_vocab * vocab, const char * applied, char ** error);
void omni_grammar_close(omni_grammar * grammar);
bool omni_grammar_allows(const omni_grammar * grammar, int32_t token);
/// Sets the logits of all tokens that may not come next to minus infinity.
void omni_grammar_filter(const omni_grammar * grammar, float * logits, int32_t count);
/// False when the token cannot follow.
bool omni_grammar_accept(omni_grammar * grammar, int32_t token);

// ---- Logits ---------------------------------------------------------------------------------------------------------

/// The place of the largest value; the first of equals.
int32_t omni_argmax(const float * values, int32_t count);
float omni_max(const float * values, int32_t count);
/// log(sum(exp(values)))
double omni_logsumexp(const float * values, int32_t count);
/// weights[i] = exp((values[i] - top) * scale), those below `least` set to 0. Returns their sum.
double omni_weights(const float * values, float * weights, int32_t count, float top, float scale, float least);
/// Places of the weights of at least `least`, at most `room` of them; their sum goes to `*sum`. Returns how many there are,
/// which may be more than `room`.
int32_t omni_gather(const float * weights, int32_t count, float least, int32_t * places, int32_t room, double * sum);
/// The first place at which the running sum of the weights passes `target`; the last weight above 0 when none does.
int32_t omni_pick(const float * weights, int32_t count, double target);
/// The `k` largest values in falling order. Returns how many were written.
int32_t omni_largest(const float * values, int32_t count, int32_t k, int32_t * places);

// ---- Memory ---------------------------------------------------------------------------------------------------------

struct llama_context;

/// Bytes of the buffers of a context: its model's weights, keys and values, and what a graph computes with. False where they are not
/// to be had.
bool omni_context_bytes(const struct llama_context * context, size_t * weights, size_t * cache, size_t * compute);
/// Names of the kinds of memory that hold the model's weights: they decide which kernels multiply with them.
char * omni_context_kinds(const struct llama_context * context);

// ---- States of a network --------------------------------------------------------------------------------------------

/// From the next batch on the context keeps what the last norm gives for each entry, whether it asks for logits or not. Only for
/// networks that `scripts/patches` teaches it.
void omni_keep_states(struct llama_context * context, bool keeps);
/// The state of the last batch's entry at `index`: as many numbers as an embedding that comes out. NULL where there is none.
const float * omni_state(struct llama_context * context, int32_t index);

#ifdef __cplusplus
}
#endif
