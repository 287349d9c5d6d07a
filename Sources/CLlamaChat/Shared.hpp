#pragma once
#include "include/CLlamaChat.h"
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

static inline char * omni_copy(const std::string & text) {
    char * copy = static_cast<char *>(malloc(text.size() + 1));
    if (copy != nullptr) memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
}

/// Runs `body`; an exception becomes a null result and its reason in `*error`.
template <typename Body> static auto omni_guarded(char ** error, Body && body) -> decltype(body()) {
    try {
        return body();
    } catch (const std::exception & fault) {
        if (error != nullptr) *error = omni_copy(fault.what());
    } catch (...) {
        if (error != nullptr) *error = omni_copy("unknown C++ exception");
    }
    return nullptr;
}
