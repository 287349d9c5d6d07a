// What a context's buffers take. llama.cpp declares this in src/llama-ext.h, which it does not install: the same declaration stands
// here, for the version that native.lock pins.
#include "Shared.hpp"
#include "llama.h"
#include <map>
#include <string>

struct llama_memory_breakdown_data {
    size_t model;
    size_t context;
    size_t compute;
};

LLAMA_API std::map<ggml_backend_buffer_type_t, llama_memory_breakdown_data> llama_get_memory_breakdown(const struct llama_context * ctx);

char * omni_context_kinds(const struct llama_context * context) {
    std::string names;
    try {
        for (const auto & [type, bytes] : llama_get_memory_breakdown(context)) {
            if (bytes.model > 0) names += std::string(ggml_backend_buft_name(type)) + ' ';
        }
    } catch (...) {
    }
    return omni_copy(names);
}

bool omni_context_bytes(const struct llama_context * context, size_t * weights, size_t * cache, size_t * compute) {
    *weights = *cache = *compute = 0;
    try {
        for (const auto & [type, bytes] : llama_get_memory_breakdown(context)) {
            *weights += bytes.model;
            *cache += bytes.context;
            *compute += bytes.compute;
        }
        return true;
    } catch (...) {
        return false;
    }
}
