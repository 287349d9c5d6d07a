/// The stages of making pictures and videos.
public enum GenerationStage: String, Sendable, CaseIterable {
    case encodePrompt = "encode_prompt"
    case encodeImage = "encode_image"
    case denoise
    case decode
}

public typealias ImageStage = GenerationStage
public typealias VideoStage = GenerationStage
