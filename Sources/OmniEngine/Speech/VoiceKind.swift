/// The families of voices that sherpa-onnx speaks.
public enum VoiceFamily: String, Sendable, CaseIterable {
    case piper, kokoro, kitten, matcha, zipvoice, pocket, supertonic
}

/// A kind of voice model: the files by which it is known, and what it can.
///
/// ``all`` is the one table of them. Whoever finds, loads or describes voices reads it there.
public struct VoiceKind: Sendable {
    public enum Container: Sendable {
        /// A folder with these files, spoken by sherpa-onnx.
        case onnx(VoiceFamily, [VoiceFile])
        /// A GGUF file of this architecture with its projector, spoken by libllama and libmtmd.
        case gguf(architecture: String)
    }

    public let container: Container
    /// It speaks with the voice of a sample.
    public private(set) var clones = false
    /// A sample needs its text beside it.
    public private(set) var cloningNeedsText = false
    /// It has voices of its own, and needs no sample.
    public private(set) var hasOwnVoices = true
    /// The same seed gives the same sound.
    public private(set) var honoursSeed = false
    /// The language is the request's to choose.
    public private(set) var takesLanguage = false
    /// The only language that it speaks, where the kind itself decides that: `en`.
    public private(set) var language: String?

    /// The family, or the architecture of a GGUF.
    public var name: String {
        switch container {
        case .onnx(let family, _): family.rawValue
        case .gguf(let architecture): architecture
        }
    }

    private init(_ container: Container, _ traits: (inout VoiceKind) -> Void = { _ in }) {
        self.container = container
        traits(&self)
    }

    /// The kind that a GGUF of this architecture is; nil for one that does not speak.
    public static func gguf(architecture: String) -> VoiceKind? {
        all.first { if case .gguf(architecture) = $0.container { true } else { false } }
    }

    /// What voices of a family have in common.
    public static func onnx(_ family: VoiceFamily) -> VoiceKind? {
        all.first { if case .onnx(family, _) = $0.container { true } else { false } }
    }

    // MARK: - The table

    private static let tokens = VoiceFile("tokens", .named("tokens.txt"))
    private static let lexicon = VoiceFile("lexicon", .beginning("lexicon", ".txt"), isOptional: true)
    private static let vocoder = VoiceFile("vocoder", .beginning("vocos"), .beginning("hifigan"), .beginning("vocoder"))
    private static let anyModel = VoiceFile("model", .beginning("model"), .beginning(""))

    /// In the order in which they are tried: those with files of their own come before those that need little.
    public static let all: [VoiceKind] = [
        VoiceKind(
            .onnx(
                .pocket,
                [
                    VoiceFile("lm_flow"), VoiceFile("lm_main"), VoiceFile("encoder"), VoiceFile("decoder"), VoiceFile("text_conditioner"),
                    VoiceFile("vocab_json", .named("vocab.json")), VoiceFile("token_scores_json", .named("token_scores.json")),
                ])
        ) {
            ($0.clones, $0.hasOwnVoices, $0.honoursSeed, $0.language) = (true, false, true, "en")
        },
        VoiceKind(
            .onnx(
                .supertonic,
                [
                    VoiceFile("duration_predictor"), VoiceFile("text_encoder"), VoiceFile("vector_estimator"), VoiceFile("vocoder"),
                    VoiceFile("tts_json", .named("tts.json")), VoiceFile("unicode_indexer", .beginning("unicode_indexer", ".bin")),
                    VoiceFile("voice_style", .named("voice.bin")),
                ])
        ) {
            ($0.honoursSeed, $0.takesLanguage) = (true, true)
        },
        VoiceKind(
            .onnx(
                .zipvoice,
                [
                    VoiceFile("encoder", .beginning("encoder"), .beginning("text_encoder")),
                    VoiceFile("decoder", .beginning("decoder"), .beginning("fm_decoder")),
                    vocoder, tokens, lexicon,
                ])
        ) {
            ($0.clones, $0.cloningNeedsText, $0.hasOwnVoices) = (true, true, false)
        },
        // Kokoro and Kitten have the same files: where the name does not tell, the model's metadata does.
        VoiceKind(.onnx(.kitten, [VoiceFile("model", .containing("kitten")), VoiceFile("voices", .named("voices.bin")), tokens, lexicon])),
        VoiceKind(.onnx(.kokoro, [anyModel, VoiceFile("voices", .named("voices.bin")), tokens, lexicon])),
        VoiceKind(.onnx(.matcha, [VoiceFile("acoustic_model", .beginning("model")), vocoder, tokens, lexicon])),
        VoiceKind(.onnx(.piper, [VoiceFile("model", .paired(".onnx", with: ".json"))])),
        VoiceKind(.onnx(.piper, [anyModel, tokens, lexicon])),
        VoiceKind(.gguf(architecture: "qwen3tts")) { ($0.honoursSeed, $0.takesLanguage) = (true, true) },
        VoiceKind(.gguf(architecture: "pockettts")) {
            ($0.clones, $0.hasOwnVoices, $0.honoursSeed, $0.language) = (true, false, true, "en")
        },
    ]
}
