import CLlamaChat
import Foundation
import OmniAPI

/// Tool calls for models whose template knows nothing of tools: the tools are described in the system message, and calls are
/// written between `<tool_call>` tags, as the Hermes models do. A grammar keeps their form.
enum PlainToolCalls {
    static let open = "<tool_call>"
    static let close = "</tool_call>"

    /// The conversation with the tools told in words.
    static func messages(_ messages: [JSONValue], tools: [Tool], mustCall: Bool) -> [JSONValue] {
        var result = messages.map(plain)
        guard !tools.isEmpty else { return result }
        let told = description(of: tools, mustCall: mustCall)
        if case .object(var first)? = result.first, first["role"] == "system" || first["role"] == "developer" {
            first["content"] = .string([first["content"]?.stringValue ?? "", told].filter { !$0.isEmpty }.joined(separator: "\n\n"))
            result[0] = .object(first)
        } else {
            result.insert(["role": "system", "content": .string(told)], at: 0)
        }
        return result
    }

    private static func description(of tools: [Tool], mustCall: Bool) -> String {
        let signatures = tools.map { tool -> String in
            var json = JSONObject([("name", .string(tool.function.name))])
            if let about = tool.function.description { json.append("description", .string(about)) }
            json.append("parameters", .object(tool.function.parameters ?? JSONObject()))
            return JSONValue.object(json).jsonText
        }
        return """
            You can call these functions:
            \(signatures.joined(separator: "\n"))
            To call one, write only this, with the arguments filled in:
            \(open)
            {"name": "function name", "arguments": {}}
            \(close)
            \(mustCall ? "Answer with a call." : "Call a function only when it helps to answer; otherwise answer in words.")
            """
    }

    /// Earlier calls and their results, in words that any template takes.
    private static func plain(_ message: JSONValue) -> JSONValue {
        guard case .object(var object) = message else { return message }
        if object["role"] == "tool" {
            return ["role": "user", "content": .string("<tool_response>\n\(object["content"]?.textOfParts ?? "")\n</tool_response>")]
        }
        if let parts = object["content"], parts.arrayValue != nil, !parts.hasMedia { object["content"] = .string(parts.textOfParts) }
        if let calls = object["tool_calls"]?.arrayValue {
            object["tool_calls"] = nil
            let written = calls.map { call -> String in
                let name = JSONValue.string(call["function"]?["name"]?.stringValue ?? "").jsonText
                return "\(open)\n{\"name\": \(name), \"arguments\": \(call["function"]?["arguments"]?.stringValue ?? "{}")}\n\(close)"
            }
            object["content"] = .string(([object["content"]?.textOfParts ?? ""] + written).filter { !$0.isEmpty }.joined(separator: "\n"))
        }
        return .object(object)
    }

    /// `tools` as ``Tool/followed(place:)`` gives them. One call, or several where allowed. Lazy unless a call is demanded: words come freely until the tag opens.
    static func grammar(tools: [Tool], mustCall: Bool, parallel: Bool) throws -> GrammarSpecification? {
        // References lead from the root, so that is where all definitions stand.
        var definitions = JSONObject()
        let schemas = tools.map { tool -> JSONValue in
            var arguments = tool.function.parameters ?? JSONObject([("type", "object")])
            for (name, definition) in arguments["$defs"]?.objectValue?.members ?? [] { definitions[name] = definition }
            arguments["$defs"] = nil
            return [
                "type": "object", "required": ["name", "arguments"], "additionalProperties": false,
                "properties": ["name": ["const": .string(tool.function.name)], "arguments": .object(arguments)],
            ]
        }
        let schema: JSONValue = ["anyOf": .array(schemas), "$defs": .object(definitions)]
        let rules: String
        do {
            rules = adoptText(try throwingText { omni_grammar_of_schema(schema.jsonText, $0) })
        } catch {
            throw APIError.invalid("body.tools", "The parameters of a tool cannot be followed: \(error.reason).")
        }
        let one = #""\#(open)\n" one-call "\n\#(close)""#
        let renamed = rules.split(separator: "\n").map { $0.hasPrefix("root ::=") ? "one-call" + $0.dropFirst(4) : String($0) }
        let text = (["root ::= \(one)" + (parallel ? #" ("\n" \#(one))*"# : "")] + renamed).joined(separator: "\n")
        let applied: JSONValue = [
            "grammar": .string(text), "grammar_lazy": .bool(!mustCall),
            // Type 1 is a trigger word.
            "grammar_triggers": [["type": 1, "value": .string(open), "token": -1]],
        ]
        return GrammarSpecification(applied: applied, parameter: "body.tools")
    }
}

/// Reads calls between `<tool_call>` tags.
struct PlainToolCallParser: AnswerParsing {
    var marks: [String] { [PlainToolCalls.open] }

    func parse(_ text: String, isPartial: Bool) -> ParsedAnswer {
        var answer = ParsedAnswer()
        var rest = Substring(text)
        while let tag = rest.range(of: PlainToolCalls.open) {
            answer.content += rest[..<tag.lowerBound]
            rest = rest[tag.upperBound...]
            let end = rest.range(of: PlainToolCalls.close)
            if let call = Self.call(in: rest[..<(end?.lowerBound ?? rest.endIndex)]) { answer.calls.append(call) }
            rest = end.map { rest[$0.upperBound...] } ?? ""
        }
        if isPartial { rest = rest.dropLast(Self.beginning(of: PlainToolCalls.open, endingIn: rest)) }
        answer.content += rest
        if !answer.calls.isEmpty || isPartial {
            answer.content = String(answer.content.reversed().drop { $0.isWhitespace }.reversed())
        }
        return answer
    }

    /// Length of the tail of `text` that may be the beginning of `tag`.
    private static func beginning(of tag: String, endingIn text: Substring) -> Int {
        (1..<tag.count).reversed().first { text.hasSuffix(tag.prefix($0)) } ?? 0
    }

    /// The name, and the arguments as far as they were written.
    private static func call(in text: Substring) -> ParsedAnswer.Call? {
        guard let key = text.range(of: "\"arguments\""), let brace = text[key.upperBound...].firstIndex(of: "{") else { return nil }
        let head = text[..<key.lowerBound] + "\"arguments\":null}"
        guard let name = (try? JSONValue.parse(String(head)))?["name"]?.stringValue else { return nil }
        return ParsedAnswer.Call(name: name, arguments: String(object(at: text[brace...])))
    }

    /// The JSON object that `text` begins with, or all of it while it is open.
    private static func object(at text: Substring) -> Substring {
        var depth = 0, inString = false, escaped = false
        for (index, byte) in zip(text.utf8.indices, text.utf8) {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return text[...index] }
            default: break
            }
        }
        return text
    }
}

extension JSONValue {
    /// The text of a message's content.
    var textOfParts: String {
        stringValue ?? (arrayValue ?? []).compactMap { $0["text"]?.stringValue }.joined(separator: "\n")
    }

    var hasMedia: Bool { arrayValue?.contains { $0["type"] == "media_marker" } ?? false }
}
