import NIOCore
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia

extension Form {
    /// The text fields, for ``TranscriptionRequest``. Lists come as `name[]` again and again, objects as `name[member]`.
    package func transcriptionBody() throws -> JSONBody {
        var object = JSONObject()
        for part in parts where part.fileName == nil && part.name != TranscriptionRequest.fileName && part.body.readableBytes > 0 {
            guard let text = part.text else { throw APIError.field(.body.appending(part.name), "must be UTF-8 text.") }
            let value = JSONValue.string(text)
            guard part.name.hasSuffix("]"), let bracket = part.name.firstIndex(of: "["), bracket > part.name.startIndex else {
                object[part.name] = Self.lists.contains(part.name) ? .array((object[part.name]?.arrayValue ?? []) + [value]) : value
                continue
            }
            let name = String(part.name[..<bracket]), member = part.name[part.name.index(after: bracket)...].dropLast()
            if member.isEmpty {
                object[name] = .array((object[name]?.arrayValue ?? []) + [value])
            } else {
                var inner = object[name]?.objectValue ?? JSONObject()
                inner[String(member)] = value
                object[name] = .object(inner)
            }
        }
        return JSONBody(bytes: ByteBuffer(), json: .object(object))
    }

    private static let lists: Set = ["timestamp_granularities", "include"]

    /// The sound, with the name that the client gave its file.
    package func sound() throws -> ByteBuffer {
        let path = WirePath.body.appending(TranscriptionRequest.fileName), files = self[TranscriptionRequest.fileName]
        guard let file = files.first else {
            throw APIError.field(path, "is required: the sound, as a file of a multipart/form-data form.")
        }
        guard files.count == 1 else { throw APIError.field(path, "was given \(files.count) times; one file is taken.") }
        guard file.fileName != nil else { throw APIError.field(path, "must be a file: its part needs a filename.") }
        guard file.body.readableBytes > 0 else { throw APIError.field(path, "is empty.") }
        return file.body
    }
}

extension TranscriptionRequest {
    /// What no model of this build can do. Throws 400.
    package func checkFormat() throws {
        guard format != .diarizedJSON else {
            throw APIError.invalid(
                "body.response_format", "diarized_json is not possible: no diarizer is loaded.",
                remedy: "Take verbose_json, which has segments with their times.")
        }
    }
}

extension AudioLimits {
    /// Of sound that is to be written down: it is read piece by piece, so that only time is at stake.
    public static func transcription(bytes: Int?, seconds: Double?) -> AudioLimits {
        AudioLimits(fileBytes: bytes ?? .max, seconds: seconds ?? 4 * 3600)
    }
}
