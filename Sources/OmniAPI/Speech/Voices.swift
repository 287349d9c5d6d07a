/// A voice that a user has uploaded, as lists and replies show it.
public struct UploadedVoice: WireObject, Equatable {
    public enum EmbeddingSource: String, CaseIterable, Sendable {
        /// Computed from a sample.
        case audio
        /// Given as numbers.
        case direct
    }

    public var name = ""
    /// The id under which the speaker agreed.
    public var consent = ""
    /// Seconds since 1970.
    public var createdAt = 0
    /// Bytes of the sample.
    public var fileSize: Int?
    public var mimeType: String?
    public var embeddingSource: EmbeddingSource?
    public var embeddingDimension: Int?
    /// What is said in the sample.
    public var refText: String?
    public var speakerDescription: String?

    public init() {}

    public static var fields: [Field<UploadedVoice>] {
        [
            .required("name", \.name, .string), .required("consent", \.consent, .string), .required("created_at", \.createdAt, .integer()),
            .optional("file_size", \.fileSize, .integer()), .optional("mime_type", \.mimeType, .string),
            .optional("embedding_source", \.embeddingSource, .choice), .optional("embedding_dim", \.embeddingDimension, .integer()),
            .optional("ref_text", \.refText, .string), .optional("speaker_description", \.speakerDescription, .string),
        ]
    }
}

/// The reply to `GET /v1/audio/voices`.
public struct VoiceList: WireObject, Equatable {
    /// Names in lower case, sorted, `default` among them.
    public var voices: [String] = []
    public var uploaded: [UploadedVoice] = []

    public init() {}

    /// - Parameter builtIn: the names of the models' own voices, in any order and case.
    public init(builtIn: [String], uploaded: [UploadedVoice]) {
        voices = Set((builtIn + uploaded.map(\.name) + ["default"]).map { $0.lowercased() }).sorted()
        self.uploaded = uploaded
    }

    public static var fields: [Field<VoiceList>] {
        [.sent("voices", \.voices, .list(of: .string)), .sent("uploaded_voices", \.uploaded, .list(of: .listedVoice))]
    }
}

extension WireType where Value == UploadedVoice {
    /// A voice in a list: null where the reply to its upload is silent.
    static var listedVoice: WireType {
        let voice = WireType<UploadedVoice>.object()
        return WireType(
            decode: voice.decode,
            encode: { voice in
                var object = JSONObject([
                    ("name", .string(voice.name)), ("consent", .string(voice.consent)), ("created_at", .int(voice.createdAt)),
                    ("file_size", voice.fileSize.map { .int($0) } ?? .null), ("mime_type", .string(voice.mimeType)),
                    ("embedding_source", .string((voice.embeddingSource ?? .audio).rawValue)),
                    ("embedding_dim", voice.embeddingDimension.map { .int($0) } ?? .null),
                ])
                if let text = voice.refText { object.append("ref_text", .string(text)) }
                if let description = voice.speakerDescription { object.append("speaker_description", .string(description)) }
                return .object(object)
            },
            schema: voice.schema)
    }
}

/// The reply to uploading a voice.
public struct VoiceUploadReply: WireObject, Equatable {
    public var success = true
    public var voice = UploadedVoice()

    public init() {}

    public init(_ uploaded: UploadedVoice) {
        voice = uploaded
        // A sample's embedding is made later: the reply to its upload does not speak of one.
        if voice.embeddingSource == .audio { voice.embeddingSource = nil }
    }

    public static var fields: [Field<VoiceUploadReply>] { [.sent("success", \.success, .bool), .required("voice", \.voice, .object())] }
}

/// The reply to deleting a voice.
public struct VoiceDeletionReply: WireObject, Equatable {
    public var success = true
    public var message = ""

    public init() {}

    /// - Parameter name: as the client sent it.
    public init(deleted name: String) { message = "Voice '\(name)' deleted successfully" }

    public static var fields: [Field<VoiceDeletionReply>] { [.sent("success", \.success, .bool), .sent("message", \.message, .string)] }
}

/// The form fields of `POST /v1/audio/voices`, besides the file `audio_sample`.
public struct VoiceUpload: WireObject {
    public var name = ""
    public var consent = ""
    /// A JSON list of numbers, instead of a sample.
    public var speakerEmbedding: String?
    public var refText: String?
    public var speakerDescription: String?

    public init() {}

    public static var fields: [Field<VoiceUpload>] {
        [
            .required("consent", \.consent, .string(length: 0...longestNote)), .required("name", \.name, .string(length: 0...longestName)),
            .optional("speaker_embedding", \.speakerEmbedding, .string), .optional("ref_text", \.refText, .string(length: 0...longestNote)),
            .optional("speaker_description", \.speakerDescription, .string(length: 0...longestNote)),
        ]
    }

    /// Characters of a name, and of the other texts that are kept with a voice.
    public static let longestName = 200
    public static let longestNote = 10_000
    /// Bytes of a sample.
    public static let largestSample = 10 << 20
    /// Seconds of a sample.
    public static let sampleSeconds = 1.0...30.0
    /// Numbers of an embedding.
    public static let longestEmbedding = 4096
    /// Voices that can be uploaded.
    public static let mostVoices = 1000
    /// What a sample may be declared as; `application/octet-stream` goes by the name of the file.
    public static let mediaTypes: Set<String> = [
        "audio/mpeg", "audio/wav", "audio/x-wav", "audio/ogg", "audio/aac", "audio/flac", "audio/webm", "audio/mp4",
    ]

    /// Names are shown and compared, never used as paths; yet what looks like one is refused, as the peer does.
    public func validate(at path: WirePath) throws {
        let isBlank = name.allSatisfy(\.isWhitespace)
        if isBlank || [".", ".."].contains(name) || name.contains(where: { "/\\\0".contains($0) }) {
            throw APIError.invalid(
                path.appending("name").text, "Invalid voice name '\(name.filter { $0 != "\0" })'.", remedy: "Use a name without slashes.")
        }
        if consent.allSatisfy(\.isWhitespace) { throw APIError.field(path.appending("consent"), "is required.") }
    }
}
