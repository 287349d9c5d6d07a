#include "include/CSherpa.h"

#include <cstdio>
#include <exception>

namespace {

/// Runs a call that may throw and turns the exception into a reason: nothing may unwind into Swift.
template <typename Call>
auto guarded(char *error, const char *what, Call call) noexcept -> decltype(call()) {
    error[0] = 0;
    try {
        auto result = call();
        if (!result) std::snprintf(error, CSHERPA_ERROR_SIZE, "%s was refused; standard error has the words of ONNX Runtime", what);
        return result;
    } catch (const std::exception &exception) {
        std::snprintf(error, CSHERPA_ERROR_SIZE, "%s: %s", what, exception.what());
    } catch (...) {
        std::snprintf(error, CSHERPA_ERROR_SIZE, "%s failed for an unknown reason", what);
    }
    return nullptr;
}

}  // namespace

const SherpaOnnxOfflineTts *csherpa_tts_create(const SherpaOnnxOfflineTtsConfig *config, char *error) {
    return guarded(error, "loading the voice", [&] { return SherpaOnnxCreateOfflineTts(config); });
}

const SherpaOnnxGeneratedAudio *csherpa_tts_generate(const SherpaOnnxOfflineTts *tts, const char *text,
                                                     const SherpaOnnxGenerationConfig *config,
                                                     SherpaOnnxGeneratedAudioProgressCallbackWithArg callback, void *argument,
                                                     char *error) {
    return guarded(error, "speaking", [&] { return SherpaOnnxOfflineTtsGenerateWithConfig(tts, text, config, callback, argument); });
}
