import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniHTTP

/// Writes the replies of `/v1/images/…` in the peer's shape (API.md, section 4.3) and the events of streams in OpenAI's.
struct ImagesReply: Sendable {
    enum Kind: String, Sendable { case generation = "image_generation", edit = "image_edit" }

    let kind: Kind
    let output: ImageOutput
    /// Whether `metrics` tells more than the peer's.
    let detailed: Bool
    private let created = Int(Date().timeIntervalSince1970)

    init(kind: Kind, output: ImageOutput, detailed: Bool) {
        self.kind = kind
        self.output = output
        self.detailed = detailed
    }

    // MARK: - Whole

    func whole(_ pictures: ImageService.Pictures, ignored: String?) -> Response {
        let data = pictures.files.map { file -> JSONValue in ["b64_json": file.base64, "url": nil, "revised_prompt": nil] }
        return .json(
            [
                "created": .int(created), "data": .array(data), "output_format": .string(output.format.rawValue),
                "size": .string(pictures.files.first?.size.description), "cot_output": nil,
                "metrics": pictures.clock.metrics(detailed: detailed),
            ], ignored: ignored)
    }

    /// The file itself, or a zip of several.
    func files(_ pictures: ImageService.Pictures, ignored: String?) -> Response {
        let suffix = output.format.rawValue
        let name = RequestID.make(digits: 8)
        if pictures.files.count == 1, let file = pictures.files.first {
            return Self.attachment(file.bytes, "image_\(name).\(suffix)", type: output.format.contentType, ignored: ignored)
        }
        var archive = ZipArchive()
        for (index, file) in pictures.files.enumerated() { archive.add("image_\(index).\(suffix)", file.bytes) }
        return Self.attachment(archive.finished(), "images_\(name).zip", type: "application/zip", ignored: ignored)
    }

    private static func attachment(_ bytes: [UInt8], _ name: String, type: String, ignored: String?) -> Response {
        var headers: HTTPFields = [.contentType: type, .contentDisposition: "attachment; filename=\"\(name)\""]
        if let ignored { headers[.xIgnoredParams] = ignored }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    // MARK: - Events

    var partialName: String { "\(kind.rawValue).partial_image" }
    var completedName: String { "\(kind.rawValue).completed" }

    func partial(_ file: ImageFile, index: Int, number: Int) -> JSONValue {
        .object(JSONObject(members(partialName, file, index) + [("partial_image_index", .int(number))]))
    }

    func completed(_ file: ImageFile, index: Int, of count: Int, _ clock: StageClock) -> JSONValue {
        let usage: JSONValue = [
            "input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "input_tokens_details": ["image_tokens": 0, "text_tokens": 0],
        ]
        return .object(
            JSONObject(members(completedName, file, index) + [("usage", usage), ("metrics", clock.metrics(detailed: detailed))]))
    }

    private func members(_ type: String, _ file: ImageFile, _ index: Int) -> [(String, JSONValue)] {
        [
            ("type", .string(type)), ("b64_json", file.base64), ("created_at", .int(created)), ("size", .string(file.size.description)),
            ("quality", "auto"), ("background", "opaque"), ("output_format", .string(output.format.rawValue)), ("index", .int(index)),
        ]
    }
}
