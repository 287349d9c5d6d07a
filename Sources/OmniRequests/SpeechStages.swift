import OmniAPI
import OmniEngine
import OmniHTTP

/// What a chat says about the stages of a model that thinks and speaks: `sampling_params_list` has an object for each, and goes before
/// everything else.
package struct SpeechStages: Sendable {
    /// The request's members that are read here, and not by the model that writes.
    package static let members = ["sampling_params_list"] + CodecParameters.fields.map(\.name)

    /// Members that replace those of the request.
    package private(set) var thinker = JSONObject()
    package private(set) var talker = TalkerSampling()
    package private(set) var codec = CodecParameters()
    /// Fields without effect.
    package private(set) var ignored: [String] = []

    /// Fields without effect where no sound is asked for.
    package var withoutSound: [String] { ignored + given }
    /// Fields that have one only where it is.
    private var given: [String] = []

    /// Throws 400 naming the field.
    package init(_ json: JSONValue) throws {
        let own = Set(CodecParameters.fields.map(\.name))
        for (place, name) in [(json, ""), (json["extra_body"] ?? .null, "extra_body.")] {
            guard let object = place.objectValue else { continue }
            let path = name.isEmpty ? WirePath.body : WirePath.body.appending("extra_body")
            given += object.keys.filter(own.contains).map { name + $0 }
            let mine = JSONObject(object.members.filter { own.contains($0.key) }.map { ($0.key, $0.value) })
            codec.adopt(try CodecParameters(json: .object(mine), at: path))
        }
        guard let list = json["sampling_params_list"], !list.isNull else { return }
        let path = WirePath.body.appending("sampling_params_list")
        guard let stages = list.arrayValue, stages.count <= 3, stages.allSatisfy({ $0.objectValue != nil }) else {
            throw APIError.field(path, "must be a list of at most three objects, one for each stage: thinker, talker, token2wav.")
        }
        thinker = stages.first?.objectValue ?? thinker
        given += stages.indices.dropFirst().map { "sampling_params_list.\($0)" }
        if stages.count > 1 {
            var unknown = IgnoredFields()
            talker = try TalkerSampling(json: stages[1], at: path.appending("1"), ignored: &unknown)
            ignored += unknown.names.map { "sampling_params_list.1.\($0)" }
        }
        if stages.count > 2 {
            var unknown = IgnoredFields()
            codec.adopt(try CodecParameters(json: stages[2], at: path.appending("2"), ignored: &unknown))
            ignored += unknown.names.map { "sampling_params_list.2.\($0)" }
        }
    }

    /// The request as the model that writes sees it.
    package func chat(_ body: JSONBody) -> JSONBody {
        guard var members = body.json.objectValue else { return body }
        for name in Self.members { members[name] = nil }
        if let extra = members["extra_body"]?.objectValue {
            let rest = JSONObject(extra.members.filter { !Self.members.contains($0.key) }.map { ($0.key, $0.value) })
            members["extra_body"] = rest.isEmpty ? nil : .object(rest)
        }
        for member in thinker.members { members[member.key] = member.value }
        return JSONBody(bytes: body.bytes, json: .object(members))
    }

    /// How the answer is to be spoken.
    package func answer(_ audio: ChatAudioOptions) -> SpokenAnswer {
        var answer = SpokenAnswer(voice: audio.voice)
        answer.voiceField = audio.voiceField
        (answer.temperature, answer.topP, answer.topK) = (talker.temperature, talker.topP, talker.topK)
        (answer.repetitionPenalty, answer.seed, answer.maxTokens) = (talker.repetitionPenalty, talker.seed, talker.maxTokens)
        answer.codec = CodecSettings(steps: codec.steps, guidance: codec.guidance, solver: codec.solver, seed: codec.seed)
        return answer
    }
}

extension CodecParameters {
    /// What `other` says goes before.
    fileprivate mutating func adopt(_ other: CodecParameters) {
        steps = other.steps ?? steps
        guidance = other.guidance ?? guidance
        solver = other.solver ?? solver
        seed = other.seed ?? seed
    }
}
