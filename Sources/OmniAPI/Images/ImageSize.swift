/// A picture's width and height, pixels; on the wire `WIDTHxHEIGHT`.
public struct ImageSize: Sendable, Hashable, CustomStringConvertible {
    public var width: Int
    public var height: Int

    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// Longest side that is read; far beyond what any model draws, and its square still a number.
    static let longestSide = 1 << 24

    /// Exactly two whole numbers above 0 around a small `x`, blanks around them tolerated.
    public init?(_ text: String) {
        let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { part -> Int? in
            let digits = part.drop { $0 == " " }
            let end = digits.lastIndex { $0 != " " } ?? digits.startIndex
            return Int(digits.isEmpty ? "" : digits[...end]).flatMap { (1...Self.longestSide).contains($0) ? $0 : nil }
        }
        guard sides.count == 2, let width = sides[0], let height = sides[1] else { return nil }
        self.init(width: width, height: height)
    }

    public var pixels: Int { width * height }
    public var description: String { "\(width)x\(height)" }
}

extension WireType where Value == ImageSize {
    /// `WIDTHxHEIGHT`.
    public static var imageSize: WireType { imageSize(anyCase: false) }

    static func imageSize(anyCase: Bool) -> WireType {
        WireType(
            decode: { json, path in
                guard case .string(let text) = json else {
                    throw APIError.field(path, "must be a string such as 1024x1024, not \(json.typeName).")
                }
                guard let size = ImageSize(anyCase ? text.lowercased() : text) else {
                    throw APIError.field(path, "must be WIDTHxHEIGHT in pixels, such as 1024x1024; not \(json.short).")
                }
                return size
            },
            encode: { .string($0.description) },
            schema: { ["type": "string", "pattern": .string("^\(sides(anyCase: anyCase))$")] })
    }

    /// What a size looks like, as a regular expression.
    fileprivate static func sides(anyCase: Bool) -> String { " *[0-9]+ *\(anyCase ? "[xX]" : "x") *[0-9]+ *" }
}

extension WireType where Value == ImageSize? {
    /// `WIDTHxHEIGHT`, or `auto` in any case for the input's or the model's own size.
    static var imageSizeOrAuto: WireType {
        let size = WireType<ImageSize>.imageSize
        return WireType(
            decode: { json, path in
                if json.isNull || json.stringValue?.lowercased() == "auto" { return nil }
                return try size.decode(json, path)
            },
            encode: { $0.map(size.encode) ?? "auto" },
            schema: { ["type": "string", "pattern": .string("^([aA][uU][tT][oO]|\(WireType<ImageSize>.sides(anyCase: false)))$")] })
    }
}
