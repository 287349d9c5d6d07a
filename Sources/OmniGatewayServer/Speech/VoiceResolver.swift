import OmniAPI
import OmniEngine
import OmniGateway
import OmniStore

/// Knows every voice there is, and puts the one that a request names into a form that its model understands.
public struct VoiceResolver: Sendable {
    let store: any VoiceStore
    /// Further names of models' voices, from the configuration: alias to voice.
    let aliases: [String: String]

    public init(store: any VoiceStore, aliases: [String: String] = [:]) {
        self.store = store
        self.aliases = aliases
    }

    /// OpenAI's voices: clients name them by habit, so they mean the default voice where a model has none of that name.
    static let openAIVoices: Set<String> = [
        "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
    ]

    /// What was made of the voice that a request named.
    struct Choice {
        /// The request's members as the model is to see them.
        var members: JSONObject
        /// `voice`, when the default stands in for it.
        var ignored: [String] = []
    }

    /// Puts the voice of a speech request, or of one item of a batch, in order for `entry`'s model.
    ///
    /// A voice of the model stays; an alias becomes the voice it stands for; an uploaded voice becomes a sample with its
    /// text; OpenAI's names become the default. Throws 400 for any other name, listing what there is; and for an uploaded
    /// voice that the model cannot imitate, naming the models that can.
    func prepare(_ members: JSONObject, for entry: CatalogueEntry, in catalogue: Catalogue) async throws -> Choice {
        var choice = Choice(members: members)
        try Self.refuseLocalFiles(members)
        // What a server elsewhere has for voices is its own affair.
        guard entry.kind != nil else { return choice }
        guard let (key, name) = Self.voice(in: members) else { return choice }
        let status = entry.backend.status
        let own = Set(status.voices.map { $0.lowercased() })
        let lower = name.lowercased()
        if own.contains(lower) { return choice }
        if let target = aliases.first(where: { $0.key.lowercased() == lower })?.value {
            choice.members[key] = own.contains(target.lowercased()) ? .string(target) : nil
            return choice
        }
        if let uploaded = try await store.voice(named: name) {
            guard status.clonesVoices else { throw Self.cannotClone(entry, catalogue, param: key) }
            return try Self.imitating(uploaded, choice, key: key)
        }
        guard lower == "default" || Self.openAIVoices.contains(lower) else {
            throw APIError.invalid(key, "Invalid voice '\(name)'. Supported: \(try await names(of: entry).joined(separator: ", "))")
        }
        choice.members[key] = nil
        if lower != "default" { choice.ignored = ["voice"] }
        return choice
    }

    /// The model for a speech request: the one that it names, else the default one, unless of all models only another has the voice.
    /// Throws as the catalogue does.
    func entry(named model: String?, for members: JSONObject, in catalogue: Catalogue) throws -> CatalogueEntry {
        let entry = try catalogue.entry(named: model, able: [.speech], task: "speech")
        guard model?.isEmpty ?? true, let name = Self.voice(in: members)?.name.lowercased(), entry.kind != nil else { return entry }
        func has(_ entry: CatalogueEntry) -> Bool { entry.backend.status.voices.contains { $0.lowercased() == name } }
        return has(entry) ? entry : catalogue.offered.first { $0.kind != nil && $0.can(.speech) && has($0) } ?? entry
    }

    /// The voice that a request names, and in which member.
    private static func voice(in members: JSONObject) -> (key: String, name: String)? {
        let key = ["voice", "speaker"].first { members[$0].map { !$0.isNull } ?? false } ?? "voice"
        guard let name = members[key]?.stringValue ?? members[key]?["id"]?.stringValue, !name.isEmpty else { return nil }
        return (key, name)
    }

    private static func imitating(_ voice: StoredVoice, _ choice: Choice, key: String) throws -> Choice {
        guard let path = voice.samplePath else {
            throw APIError.invalid(
                key, "The voice '\(voice.voice.name)' was given as numbers, which this model does not take.",
                remedy: "Upload a sample of it.")
        }
        var choice = choice
        choice.members[key] = nil
        choice.members["ref_audio"] = .string("file://\(path)")
        if choice.members["ref_text"] == nil, let text = voice.voice.refText { choice.members["ref_text"] = .string(text) }
        return choice
    }

    /// The gateway alone names files to a worker; a client must send its samples.
    private static func refuseLocalFiles(_ members: JSONObject) throws {
        let named =
            [members["ref_audio"]?.stringValue] + (members["ref_audio"]?.arrayValue ?? []).map(\.stringValue)
            + (members["references"]?.arrayValue ?? []).map { $0["audio_path"]?.stringValue }
        for uri in named.compactMap({ $0 }) where !["data:", "http://", "https://"].contains(where: uri.lowercased().hasPrefix) {
            throw APIError.invalid(
                "ref_audio", "ref_audio must be a data: or http(s) URL.",
                remedy: "Or upload the sample with POST /v1/audio/voices and name the voice.")
        }
    }

    static func cannotClone(_ entry: CatalogueEntry, _ catalogue: Catalogue, param: String) -> APIError {
        let able = catalogue.entries.filter { $0.backend.status.clonesVoices }.map(\.id)
        let remedy = able.isEmpty ? "No served model can." : "Models that can: \(able.joined(separator: ", "))."
        return APIError.invalid(param, "The model `\(entry.id)` cannot imitate a voice.", remedy: remedy)
    }

    /// The names that a model answers to: its own voices, their aliases, and uploaded ones where it can imitate.
    func names(of entry: CatalogueEntry) async throws -> [String] {
        let status = entry.backend.status
        let uploaded = status.clonesVoices ? try await store.all().map(\.voice.name) : []
        return Set((status.voices + aliases.keys + uploaded).map { $0.lowercased() }).sorted()
    }

    /// Names that an upload may not take.
    func reservedNames(in catalogue: Catalogue) -> Set<String> {
        Set((catalogue.entries.flatMap(\.backend.status.voices) + aliases.keys + ["default"]).map { $0.lowercased() })
    }
}
