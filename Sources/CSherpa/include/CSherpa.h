// sherpa-onnx's C API, and the calls of it that may throw C++ exceptions, with those caught.
//
// The header comes from deps-sherpa/, a link that scripts/sherpa.sh makes.
#pragma once

#include "../../../deps-sherpa/include/sherpa-onnx/c-api/c-api.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CSHERPA_ERROR_SIZE = 512 };

/// As SherpaOnnxCreateOfflineTts; NULL with a reason in `error` (CSHERPA_ERROR_SIZE bytes) when ONNX Runtime refuses a file.
const SherpaOnnxOfflineTts *csherpa_tts_create(const SherpaOnnxOfflineTtsConfig *config, char *error);

/// As SherpaOnnxOfflineTtsGenerateWithConfig; NULL with a reason in `error` on failure.
const SherpaOnnxGeneratedAudio *csherpa_tts_generate(const SherpaOnnxOfflineTts *tts, const char *text,
                                                     const SherpaOnnxGenerationConfig *config,
                                                     SherpaOnnxGeneratedAudioProgressCallbackWithArg callback, void *argument,
                                                     char *error);

#ifdef __cplusplus
}
#endif
