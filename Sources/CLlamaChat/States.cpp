// What the last norm gives for every entry of a batch. llama.cpp declares this in src/llama-ext.h, which it does not install: the same
// declarations stand here, for the version that native.lock pins.
#include "Shared.hpp"
#include "llama.h"

LLAMA_API void llama_set_embeddings_nextn(struct llama_context * ctx, bool value, bool masked);
LLAMA_API float * llama_get_embeddings_nextn_ith(struct llama_context * ctx, int32_t i);

void omni_keep_states(struct llama_context * context, bool keeps) { llama_set_embeddings_nextn(context, keeps, false); }

const float * omni_state(struct llama_context * context, int32_t index) {
    try {
        return llama_get_embeddings_nextn_ith(context, index);
    } catch (...) {
        return nullptr;
    }
}
