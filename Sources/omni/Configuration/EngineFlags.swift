import ArgumentParser

/// Flags of the engines: the gateway takes them and hands them on to its workers.
struct EngineFlags: ParsableArguments {
    @Option(help: ArgumentHelp("Longest prompt and answer together, tokens.", valueName: "tokens"))
    var maxModelLen: Int?

    @Option(help: ArgumentHelp("Answers computed at once.", valueName: "count"))
    var maxNumSeqs: Int?

    @Option(help: ArgumentHelp("Requests that may wait for a place; more get 503.", valueName: "count"))
    var maxQueue: Int?

    @Option(help: ArgumentHelp("Most prompt tokens in one step.", valueName: "tokens"))
    var maxNumBatchedTokens: Int?

    @Option(help: ArgumentHelp("Cores to compute on; all by default.", valueName: "count"))
    var threads: Int?

    @Option(help: ArgumentHelp("Layers on a GPU; all by default.", valueName: "count"))
    var gpuLayers: Int?

    @Option(help: ArgumentHelp("A Jinja template, or a file with one, in place of the model's own.", valueName: "template"))
    var chatTemplate: String?

    @Option(help: ArgumentHelp("Largest picture, sound or film in a prompt, bytes.", valueName: "bytes"))
    var limitMmBytes: Int?

    @Option(help: ArgumentHelp("Most pixels of a picture in a prompt.", valueName: "pixels"))
    var limitMmPixels: Int?

    @Option(help: ArgumentHelp("Longest sound or film in a prompt.", valueName: "seconds"))
    var limitMmSeconds: Double?

    @Option(help: ArgumentHelp("Most pictures, sounds and films in one conversation.", valueName: "count"))
    var limitMmPerPrompt: Int?

    @Option(parsing: .upToNextOption, help: ArgumentHelp("Hosts that media in prompts may be fetched from, private ones too; all public ones by default.", valueName: "host"))
    var allowedMediaDomains: [String] = []

    func validate() throws {
        for (name, value) in numbers where (value ?? 1) < 1 && name != "--gpu-layers" && name != "--max-queue" {
            throw ValidationError("\(name) must be at least 1.")
        }
        if let maxQueue, maxQueue < 0 { throw ValidationError("--max-queue must be at least 0.") }
        if let gpuLayers, gpuLayers < 0 { throw ValidationError("--gpu-layers must be at least 0.") }
    }

    private var numbers: [(String, Int?)] {
        [
            ("--max-model-len", maxModelLen), ("--max-num-seqs", maxNumSeqs), ("--max-queue", maxQueue), ("--max-num-batched-tokens", maxNumBatchedTokens),
            ("--threads", threads), ("--gpu-layers", gpuLayers), ("--limit-mm-bytes", limitMmBytes), ("--limit-mm-pixels", limitMmPixels),
            ("--limit-mm-per-prompt", limitMmPerPrompt),
        ]
    }

    /// The flags as a worker's command line.
    var arguments: [String] {
        var list = numbers.flatMap { name, value in value.map { [name, String($0)] } ?? [] }
        if let limitMmSeconds { list += ["--limit-mm-seconds", String(limitMmSeconds)] }
        if let chatTemplate { list += ["--chat-template", chatTemplate] }
        if !allowedMediaDomains.isEmpty { list += ["--allowed-media-domains"] + allowedMediaDomains }
        return list
    }
}
