import OmniEngine

/// Every family that is built.
enum DiffusionFamilies {
    static let all: [any DiffusionFamily.Type] = [
        ZImageFamily.self,
        WanFamily.self,
        QwenImageFamily.self,
        Flux2KleinFamily.self,
    ]

    /// Loads a checkpoint of a family that makes pictures.
    static func images(_ checkpoint: Checkpoint) throws -> any DiffusionFamily<ImageRequest, ImageDefaults> {
        func load<Family: ImageFamily>(_ family: Family.Type) throws -> any DiffusionFamily<ImageRequest, ImageDefaults> {
            try family.load(checkpoint)
        }
        guard let family = try type(checkpoint) as? any ImageFamily.Type else { throw wrongKind(checkpoint) }
        return try load(family)
    }

    /// Loads a checkpoint of a family that makes videos.
    static func videos(_ checkpoint: Checkpoint) throws -> any DiffusionFamily<VideoRequest, VideoDefaults> {
        func load<Family: VideoFamily>(_ family: Family.Type) throws -> any DiffusionFamily<VideoRequest, VideoDefaults> {
            try family.load(checkpoint)
        }
        guard let family = try type(checkpoint) as? any VideoFamily.Type else { throw wrongKind(checkpoint) }
        return try load(family)
    }

    private static func type(_ checkpoint: Checkpoint) throws -> any DiffusionFamily.Type {
        guard let family = all.first(where: { $0.name == checkpoint.family.name }) else {
            throw DiffusionError.unsupported("a checkpoint of \(checkpoint.pipelineClass)")
        }
        return family
    }

    private static func wrongKind(_ checkpoint: Checkpoint) -> DiffusionError {
        .unsupported(
            "a checkpoint of \(checkpoint.pipelineClass), which makes \(checkpoint.family.kind.rawValue)s, as another kind of model")
    }
}
