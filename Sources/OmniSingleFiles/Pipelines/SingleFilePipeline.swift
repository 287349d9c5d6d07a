import OmniAPI
import OmniEngine

/// How a family's pipeline is put together of single files: which networks go together, and what no file of theirs says.
struct SingleFilePipeline: Sendable {
    /// Of the layout of its transformer.
    let transformer: String
    let textEncoder: String
    let vae: String
    /// The class in `model_index.json`, and what else stands there.
    let index: @Sendable (Circumstances) throws -> JSONObject
    /// `scheduler_config.json`.
    let scheduler: @Sendable (Circumstances) -> JSONObject
    /// What names of its autoencoder's files have in them where others' files fit as well.
    var vaeWord: String?
    /// What the autoencoder's `config.json` has besides what its shapes tell.
    var vaeConfig = JSONObject()
    /// Features of the text states that a transformer takes from one layer, and channels of the latents.
    let textWidth: @Sendable (JSONObject) -> Int?
    let latentChannels: @Sendable (JSONObject) -> Int?
    /// Files that others publish for it, to be named where one is missing.
    let companions: @Sendable (JSONObject) -> [Companion]

    static let all: [SingleFilePipeline] = [.zImage, .qwenImage, .flux2Klein, .wan]

    static func of(_ transformer: SingleFile) -> SingleFilePipeline? { all.first { $0.transformer == transformer.name } }
}

/// What a pipeline may depend on.
struct Circumstances: Sendable {
    /// The transformer's file, without its ending and in small letters, words apart by `-`.
    let name: String
    /// What its shapes tell.
    let config: JSONObject
    /// A second transformer is there, for little noise.
    let hasSecond: Bool

    func names(_ word: String) -> Bool { "-\(name)-".contains(word) }
}

/// A file on the Hub that completes a pipeline.
public struct Companion: Sendable, Equatable {
    public let part: String
    public let repository: String
    public let file: String

    /// As `omni models pull` takes it.
    public var reference: String { "\(repository):\(file)" }
}
