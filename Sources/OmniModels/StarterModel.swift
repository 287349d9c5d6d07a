import OmniEngine

/// The models that are served when none is named.
public struct StarterModel: Sendable, Equatable {
    public let name: String
    public let kind: ModelKind
    /// What it is, in a few words.
    public let summary: String
    /// Flags for its worker, where the command line does not say how weights are stored.
    public var flags: [String] = []

    public static let all: [StarterModel] = [
        StarterModel(name: "smollm2-135m-instruct", kind: .text, summary: "SmolLM2-135M-Instruct, a small chat model"),
        StarterModel(name: "joe", kind: .speech, summary: "an English Piper voice"),
        StarterModel(name: "whisper-base", kind: .transcription, summary: "OpenAI's Whisper base, which writes down speech"),
        // Half the memory of its f32, and as near to transformers' vectors.
        StarterModel(
            name: "all-minilm-l6-v2", kind: .embedding, summary: "all-MiniLM-L6-v2, which makes vectors of English texts",
            flags: ["--quantization", "f16"]),
        StarterModel(name: "omni-emoji", kind: .image, summary: "a tiny image model trained for this project"),
        StarterModel(name: "omni-emoji-motion", kind: .video, summary: "a tiny video model trained for this project"),
    ]

    /// The starter of that name, if it is one.
    public static func named(_ name: String) -> StarterModel? { all.first { $0.name == name } }
}
