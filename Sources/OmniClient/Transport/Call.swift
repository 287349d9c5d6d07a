import Foundation
import OmniAPI

/// One request, before it has headers and a host.
struct Call: Sendable {
    enum Body: Sendable {
        case none
        case json(JSONValue)
        case form(MultipartForm)
    }

    var method: String
    var path: String
    var query: [(name: String, value: String)] = []
    var body = Body.none
    var options = CallOptions()

    static func get(_ path: String, query: [(name: String, value: String)] = [], _ options: CallOptions = CallOptions()) -> Call {
        Call(method: "GET", path: path, query: query, options: options)
    }

    static func delete(_ path: String, _ options: CallOptions = CallOptions()) -> Call {
        Call(method: "DELETE", path: path, options: options)
    }

    /// A POST of a request type's JSON. `always` holds members that go out even where they are the type's default, because other
    /// servers have another.
    static func post(_ path: String, _ request: some WireObject, always: [(String, JSONValue)] = [], _ options: CallOptions = CallOptions())
        -> Call
    {
        var object = request.json.objectValue ?? JSONObject()
        for (key, value) in always + options.extraFields.members.map({ ($0.key, $0.value) }) { object[key] = value }
        return Call(method: "POST", path: path, body: .json(.object(object)), options: options)
    }

    /// A POST of a request type as a form, with files. `repeatsLists`: a list is a field `name[]` for each element, as OpenAI has it; else
    /// it is a text of JSON.
    static func form(
        _ path: String, _ request: some WireObject, files: [(name: String, upload: Upload)], repeatsLists: Bool = false,
        _ options: CallOptions = CallOptions()
    ) -> Call {
        var object = request.json.objectValue ?? JSONObject()
        for (key, value) in options.extraFields.members { object[key] = value }
        var form = MultipartForm()
        for (key, value) in object.members {
            guard repeatsLists, let elements = value.arrayValue else {
                form.add(key, text: value.stringValue ?? value.jsonText)
                continue
            }
            for element in elements { form.add("\(key)[]", text: element.stringValue ?? element.jsonText) }
        }
        for file in files { form.add(file.name, file: file.upload) }
        return Call(method: "POST", path: path, body: .form(form), options: options)
    }

    /// Whether doing it twice is as good as once.
    var isRepeatable: Bool { method != "POST" || options.idempotencyKey != nil }

    /// Path and query.
    var target: String {
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\($0.name)=\(Self.escape($0.value))" }.joined(separator: "&")
    }

    /// A name as one segment of a path, or as a value in a query.
    static func escape(_ text: String) -> String { text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? text }

    private static let unreserved = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
}

/// `Retry-After`: seconds, or a date.
enum RetryAfter {
    static func duration(_ text: String?, now: Date) -> Duration? {
        guard let text else { return nil }
        if let seconds = Double(text), seconds.isFinite, seconds >= 0 { return .seconds(min(seconds, 1e6)) }
        return HTTPTime(text).map { .seconds(max(0, $0.seconds - now.timeIntervalSince1970)) }
    }
}
