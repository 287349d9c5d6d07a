import NIOCore
import OmniAPI
import OmniAccess

/// Reads from a backend's reply, while it passes, how many tokens it cost. A pure value.
struct UsageReader {
    enum Form {
        case events, json
        /// Sound, pictures, files: they tell no tokens.
        case other

        init(contentType: String?) {
            let type = contentType?.prefix { $0 != ";" }.lowercased() ?? ""
            self = type.hasPrefix("text/event-stream") ? .events : type.hasSuffix("json") ? .json : .other
        }
    }

    private let form: Form
    /// Takes out the event that only tells the usage, which the client has not asked for.
    private let strips: Bool
    /// An event of which the end has not come, or the last bytes of a JSON reply.
    private var held: [UInt8] = []
    /// Bytes of a whole reply that are still to come, where its head said how many.
    private var left: Int?
    /// The last usage told.
    private var told: UsedTokens?
    /// Events with pieces of an answer: what a stream has cost at least that ends before its usage.
    private var pieces = 0

    /// How much of a JSON reply's end is kept, bytes; its usage stands there.
    private static let window = 256 << 10

    init(_ form: Form, strips: Bool = false, length: Int? = nil) { (self.form, self.strips, left) = (form, strips, length) }

    /// What has been used; of a stream that ends early at least so much.
    var used: UsedTokens { told ?? UsedTokens(completion: pieces, total: pieces) }

    /// Whether nothing more can be told.
    private(set) var isComplete = false

    /// Takes a piece of the reply; what goes on to the client.
    mutating func take(_ chunk: ByteBuffer) -> ByteBuffer {
        switch form {
        case .other: return chunk
        case .json:
            held.append(contentsOf: chunk.readableBytesView)
            if held.count > 2 * Self.window { held.removeFirst(held.count - Self.window) }
            left = left.map { $0 - chunk.readableBytes }
            if let left, left <= 0 { finishJSON() }
            return chunk
        case .events:
            held.append(contentsOf: chunk.readableBytesView)
            var kept = ByteBuffer()
            while let end = Self.eventEnd(held) {
                let event = held[..<end]
                if !takeEvent(event) { kept.writeBytes(event) }
                held.removeFirst(end)
            }
            return strips ? kept : chunk
        }
    }

    /// The reply has ended; what goes on to the client.
    mutating func finish() -> ByteBuffer {
        if form == .json { finishJSON() }
        isComplete = true
        defer { held = [] }
        return strips && form == .events ? ByteBuffer(bytes: held) : ByteBuffer()
    }

    private mutating func finishJSON() {
        guard !isComplete else { return }
        isComplete = true
        // A quotation mark inside a text has a backslash before it, so this is a name.
        let name = Array(#""usage""#.utf8)
        guard let place = held.ranges(of: name).last?.upperBound else { return }
        let rest = held[place...].drop { $0 != UInt8(ascii: "{") && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "}") }
        guard rest.first == UInt8(ascii: "{"), let end = Self.objectEnd(rest) else { return }
        if let json = try? JSONValue.parse(rest[..<end]) { told = UsedTokens(json) }
    }

    /// Whether an event is to be taken out.
    private mutating func takeEvent(_ event: ArraySlice<UInt8>) -> Bool {
        guard let data = Self.data(of: event), let json = try? JSONValue.parse(data) else { return false }
        if let used = json["usage"].flatMap(UsedTokens.init) { told = used }
        let choices = json["choices"]?.arrayValue
        pieces += choices?.count ?? 0
        return strips && (choices?.isEmpty ?? false) && json["usage"]?.objectValue != nil
    }

    /// After the empty line that ends the first event.
    private static func eventEnd(_ bytes: [UInt8]) -> Int? {
        let lineFeed = UInt8(ascii: "\n")
        var lineStart = 0
        for (place, byte) in bytes.enumerated() where byte == lineFeed {
            let line = bytes[lineStart..<place]
            if line.isEmpty || line.elementsEqual([UInt8(ascii: "\r")]) { return place + 1 }
            lineStart = place + 1
        }
        return nil
    }

    /// The bytes of an event's one line of data.
    private static func data(of event: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let name = Array("data:".utf8)
        return event.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: name) }.map { $0.dropFirst(name.count) }
    }

    /// After the brace that closes the first one. Usage holds numbers: no brace stands in a text.
    private static func objectEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        var depth = 0
        for (place, byte) in zip(bytes.indices, bytes) {
            if byte == UInt8(ascii: "{") { depth += 1 }
            if byte == UInt8(ascii: "}") { depth -= 1 }
            if depth == 0 { return place + 1 }
        }
        return nil
    }
}

extension UsedTokens {
    /// From `usage` in one of its forms; nil for one that tells no tokens, such as seconds of sound.
    init?(_ json: JSONValue) {
        func count(_ names: String...) -> Int? { names.lazy.compactMap { json[$0]?.intValue }.first { $0 >= 0 } }
        let (prompt, completion) = (count("prompt_tokens", "input_tokens"), count("completion_tokens", "output_tokens"))
        guard let total = count("total_tokens") ?? prompt.map({ $0 + (completion ?? 0) }) else { return nil }
        self.init(prompt: prompt ?? 0, completion: completion ?? max(0, total - (prompt ?? total)), total: total)
    }
}
