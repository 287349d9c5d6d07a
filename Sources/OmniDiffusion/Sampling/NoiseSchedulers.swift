/// Every scheduler that is built, by `_class_name`.
enum NoiseSchedulers {
    /// The scheduler of a checkpoint.
    ///
    /// - Parameter spacing: the kind of levels that the pipeline will ask it for.
    /// - Throws: ``DiffusionError`` for a scheduler or a variant of one that is not built.
    static func load(_ checkpoint: Checkpoint, for spacing: NoiseSpacing) throws -> any NoiseScheduler {
        let file = "scheduler_config.json"
        let kind: Kind = try checkpoint.config("scheduler", file: file)
        let scheduler: any NoiseScheduler
        switch kind._class_name ?? "" {
        case "UniPCMultistepScheduler": scheduler = try UniPC(checkpoint.config("scheduler", file: file))
        case "FlowMatchEulerDiscreteScheduler": scheduler = try FlowMatchEuler(checkpoint.config("scheduler", file: file))
        case let other: throw DiffusionError.unsupported("the scheduler \(other)")
        }
        _ = try scheduler.schedule(steps: 1, spacing)
        return scheduler
    }

    private struct Kind: Decodable { let _class_name: String? }
}
