/// The file format of pictures in a reply. `jpg` and `jpeg` are one format under two names, each echoed as it was asked.
public enum ImageOutputFormat: String, CaseIterable, Sendable {
    case png, jpg, jpeg, webp

    /// Each once.
    public static let mediaTypes = ["image/png", "image/jpeg", "image/webp"]

    public var contentType: String { self == .jpg ? "image/jpeg" : "image/\(rawValue)" }
}

/// How a reply carries its pictures.
public enum ImageResponseFormat: String, CaseIterable, Sendable {
    /// Base64 text in JSON.
    case base64 = "b64_json"
    /// The file itself, or a zip of several.
    case file
    /// A link to the file in JSON, which holds for an hour.
    case url
}

/// The files that pictures become.
public struct ImageOutput: Sendable, Equatable {
    public var format = ImageOutputFormat.png
    /// 0…100: the quality of JPEG and WebP; for PNG the more the less it is compressed. Nil is zlib's level 6 and quality 100.
    public var compression: Int?

    public init() {}

    /// zlib's level for PNG, 0…9: the peer's scale, on which 100 does not compress.
    public var pngLevel: Int { compression.map { min(9, max(0, 9 - $0 / 11)) } ?? 6 }
    /// Quality of JPEG and WebP.
    public var quality: Int { compression ?? 100 }
}

extension WireType where Value == ImageOutputFormat {
    /// In any case; null and the empty text stand for PNG.
    static var imageOutputFormat: WireType {
        WireType(
            decode: { json, path in
                if json.isNull || json == "" { return .png }
                guard let text = json.stringValue, let format = ImageOutputFormat(rawValue: text.lowercased()) else {
                    throw APIError.field(path, "must be one of png, jpg, jpeg, webp; not \(json.short).")
                }
                return format
            },
            encode: { .string($0.rawValue) },
            schema: { ["type": "string", "enum": .array(ImageOutputFormat.allCases.map { .string($0.rawValue) })] })
    }
}

extension WireType {
    /// An optional value that may be left out, but not be null.
    func given() -> WireType<Value?> {
        WireType<Value?>(decode: { try self.decode($0, $1) }, encode: { $0.map(self.encode) ?? .null }, schema: schema)
    }

    /// The value as JSON text, as forms carry objects; plain JSON is taken too.
    func fromText() -> WireType {
        WireType(
            decode: { json, path in
                guard case .string(let text) = json else { return try self.decode(json, path) }
                guard let parsed = try? JSONValue.parse(text) else { throw APIError.field(path, "must be JSON text.") }
                return try self.decode(parsed, path)
            },
            encode: { .string(self.encode($0).jsonText) }, schema: { ["type": "string"] })
    }
}

extension Field {
    /// A field that is checked as the peer checks it and has no effect here.
    static func unused<Value: Sendable>(_ name: String, _ type: WireType<Value>) -> Field {
        let nullable = type.orNull()
        return Field(
            name: name, aliases: [], isRequired: false, decode: { _ = try nullable.decode($1, $2) }, encode: { _ in nil },
            schema: { described(nullable.schema(), "Checked, and has no effect.") })
    }
}
