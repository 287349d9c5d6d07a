/// Values of video requests. The peer tells faults of two kinds apart: those that its form sees are `Bad Request`, those that
/// only its request model sees are `BadRequestError`. The types here keep to that; both name the parameter.
extension WireType {
    /// The same range, whose fault is one of the request model. `plain` says what the form sees.
    private static func model(_ plain: WireType, _ ranged: WireType) -> WireType {
        WireType(
            decode: { json, path in
                let value = try plain.decode(json, path)
                do {
                    _ = try ranged.decode(json, path)
                } catch var error as APIError {
                    error.code = .invalidRequest
                    throw error
                }
                return value
            },
            encode: ranged.encode, schema: ranged.schema)
    }
}

extension WireType where Value == Int {
    static func modelInteger(_ range: ClosedRange<Int>) -> WireType { .model(.integer(), .integer(range)) }

    /// Text of whole seconds from 1 on; a number is taken too.
    static var wholeSeconds: WireType {
        WireType(
            decode: { json, path in
                let text = json.stringValue ?? json.intValue.map(String.init) ?? ""
                guard text.first != "0", !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                    throw APIError.field(path, "must be a whole number of seconds from 1 on, such as \"4\"; not \(json.short).")
                }
                guard let seconds = Int(text), seconds <= Int32.max else { throw APIError.field(path, "is longer than any clip can be.") }
                return seconds
            },
            encode: { .string(String($0)) }, schema: { ["type": "string", "pattern": "^[1-9][0-9]*$"] })
    }
}

extension WireType where Value == Double {
    static func modelNumber(_ range: ClosedRange<Double>) -> WireType { .model(.number(), .number(range)) }
}

extension WireType where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
    static var modelChoice: WireType {
        let choice = WireType.choice
        return WireType(
            decode: { json, path in
                do {
                    return try choice.decode(json, path)
                } catch var error as APIError {
                    if json.stringValue != nil { error.code = .invalidRequest }
                    throw error
                }
            },
            encode: choice.encode, schema: choice.schema)
    }
}

extension WireType where Value == ImageSize {
    /// `WIDTHxHEIGHT` without blanks; sides of 0 pass the peer's form and fail its request model.
    static var videoSize: WireType {
        WireType(
            decode: { json, path in
                let sides = json.stringValue?.split(separator: "x", omittingEmptySubsequences: false) ?? []
                guard sides.count == 2, sides.allSatisfy({ side in !side.isEmpty && side.utf8.allSatisfy { (0x30...0x39).contains($0) } })
                else {
                    throw APIError.field(path, "must be WIDTHxHEIGHT in pixels, such as 832x480; not \(json.short).")
                }
                guard let size = ImageSize(json.stringValue ?? "") else {
                    throw APIError.invalid(path.text, "size: sides must be from 1 to \(ImageSize.longestSide) pixels, not \(json.short).")
                }
                return size
            },
            encode: { .string($0.description) }, schema: { ["type": "string", "pattern": "^[0-9]+x[0-9]+$"] })
    }
}

extension WireType where Value == String {
    /// An absolute http or https URL of at most 2048 characters.
    static var httpURL: WireType {
        WireType.string(length: 1...2048).checked { text in
            let lower = text.lowercased()
            return lower.hasPrefix("http://") || lower.hasPrefix("https://") ? nil : "must be an http(s) URL."
        }
    }
}

/// A picture, a clip or a sound named by address.
public struct MediaReference: Sendable, Equatable {
    /// http(s), or `data:`.
    public var url: String

    public init(url: String) { self.url = url }
}

extension WireType where Value == MediaReference {
    /// `{"<key>": URL}` and nothing else; in forms as JSON text. A bare URL is taken too.
    static func mediaReference(_ key: String) -> WireType {
        WireType(
            decode: { json, path in try decodeReference(try parsedText(json, path), key: key, path) },
            encode: { .object(JSONObject([(key, .string($0.url))])) },
            schema: { ["type": "object", "required": [.string(key)], "properties": .object(JSONObject([(key, ["type": "string"])]))] })
    }
}

extension WireType where Value == [MediaReference] {
    /// One reference or a list of them; in forms as JSON text.
    static func mediaReferences(_ key: String) -> WireType {
        let element = WireType<MediaReference>.mediaReference(key)
        return WireType(
            decode: { json, path in
                guard case .array(let elements) = try parsedText(json, path) else { return [try element.decode(json, path)] }
                guard (1...16).contains(elements.count) else {
                    throw APIError.field(path, "must have 1 to 16 elements, not \(elements.count).")
                }
                return try elements.enumerated().map { try decodeReference($1, key: key, path.appending($0)) }
            },
            encode: { .array($0.map(element.encode)) }, schema: WireType.oneOrList(of: element).schema)
    }
}

/// Text that is no address is JSON text.
private func parsedText(_ json: JSONValue, _ path: WirePath) throws -> JSONValue {
    guard case .string(let text) = json, !text.isMediaAddress else { return json }
    guard let parsed = try? JSONValue.parse(text) else { throw APIError.field(path, "is invalid JSON in a form field.") }
    return parsed
}

private func decodeReference(_ json: JSONValue, key: String, _ path: WirePath) throws -> MediaReference {
    if case .string(let text) = json, text.isMediaAddress { return MediaReference(url: text) }
    guard case .object(let object) = json else { throw APIError.field(path, "must be an object with \(key), not \(json.typeName).") }
    if object["file_id"] != nil { throw APIError.field(path.appending("file_id"), "is not supported yet; send \(key).") }
    if let other = object.keys.first(where: { $0 != key }) {
        throw APIError.invalid(path.appending(other).text, "`\(other)` is not known here; give \(key) alone.")
    }
    guard let url = object[key]?.stringValue else { throw APIError.field(path.appending(key), "is required, as a string.") }
    guard url.isMediaAddress else { throw APIError.field(path.appending(key), "must be an http(s) or data: URL.") }
    return MediaReference(url: url)
}

extension String {
    fileprivate var isMediaAddress: Bool {
        let start = prefix(8).lowercased()
        return ["http://", "https://", "data:"].contains { start.hasPrefix($0) }
    }
}
