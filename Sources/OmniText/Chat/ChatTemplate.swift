import CLlamaChat
import Foundation
import OmniAPI
import OmniAnswerSchema
import OmniLlama

/// A model's chat template: turns a conversation into a prompt, and says how the answer is to be read.
///
/// Unchecked: llama.cpp renders a template without changing it, so it may be used from any thread.
final class ChatTemplate: @unchecked Sendable {
    private let handle: OpaquePointer
    /// Kept alive: the template was read from it.
    private let model: LlamaModel?

    /// The template of `model`, or `source` in its place. Throws ``APIError`` for one that cannot be read.
    init(model: LlamaModel, source: String? = nil) throws {
        do {
            handle = try throwingText { omni_templates_open(model.handle, source, $0) }
        } catch {
            throw APIError.invalid("body.chat_template", "The chat template cannot be read: \(error.reason).")
        }
        self.model = model
    }

    /// A template as text, for tests.
    init(source: String, beginning: String = "", end: String = "") throws {
        handle = try throwingText { omni_templates_open_source(source, beginning, end, $0) }
        model = nil
    }

    deinit { omni_templates_close(handle) }

    /// Whether the model thinks before it answers.
    var reasons: Bool { omni_templates_reason(handle) }

    /// Whether the template tells the model of tools.
    var knowsTools: Bool { omni_templates_tools(handle) }

    /// A rendered conversation.
    struct Applied: Sendable {
        var prompt: String
        var grammar: GrammarSpecification?
        var stops: [String]
        var preserved: [String]
        /// Nil when the answer is plain text.
        var parser: (any AnswerParsing)?
    }

    struct Request: Sendable {
        var messages: [JSONValue]
        var tools: [Tool] = []
        var toolChoice = ToolChoice.auto
        var parallelToolCalls = true
        var format: ResponseFormat?
        var addGenerationPrompt = true
        var continuesFinalMessage = false
        var arguments: JSONObject?
        var reasoningEffort: String?
    }

    /// Throws ``APIError`` (400) with the template's own words when it refuses the conversation.
    func apply(_ request: Request) throws -> Applied {
        var request = request
        let tools = offeredTools(request)
        let followed = try tools.enumerated().map { try $1.followed(place: $0) }
        request.format = try request.format?.followed()
        if !tools.isEmpty, !knowsTools { return try applyInWords(&request, tools: tools, followed: followed) }
        let isForced = !tools.isEmpty && request.toolChoice.isForced
        // A call has no place in a form for the whole answer.
        if isForced { request.format = nil }
        let isConstrained = request.format?.constraint != nil
        let parsesToolCalls = !tools.isEmpty && request.toolChoice != .none
        // Whoever goes on with a message has thought already, and a form that is no JSON has no room for thoughts.
        let isPlain = tools.isEmpty && (!reasons || request.continuesFinalMessage || isConstrained)
        do {
            let text = try rendered(json(request, tools: followed, plain: isPlain))
            let applied = try JSONValue.parse(text)
            if isForced, applied["grammar"]?.stringValue?.isEmpty != false {
                return try applyInWords(&request, tools: tools, followed: followed)
            }
            // The model is told of its tools in the client's own words.
            let told = tools == followed ? applied : try JSONValue.parse(rendered(json(request, tools: tools, plain: isPlain)))
            let grammar =
                isPlain || isConstrained
                ? try GrammarSpecification(request.format)
                : GrammarSpecification(applied: applied, parameter: parsesToolCalls ? "body.tools" : "body.response_format")
            return Applied(
                prompt: try prompt(told, of: request), grammar: grammar, stops: applied["additional_stops"]?.strings ?? [],
                preserved: applied["preserved_tokens"]?.strings ?? [],
                parser: isPlain ? nil : try AnswerParser(text, marks: applied["marks"]?.strings ?? [], toolCalls: parsesToolCalls))
        } catch let error as ShimError {
            throw APIError.invalid("body.messages", "The model's chat template refuses this conversation: \(error.reason)")
        }
    }

    private func rendered(_ request: JSONValue) throws(ShimError) -> String {
        let text = request.jsonText
        return adoptText(try throwingText { omni_templates_apply(handle, text, $0) })
    }

    /// The rendered conversation, cut after the last message's text where that is to be continued: as transformers does it, which
    /// works for every template and role.
    private func prompt(_ applied: JSONValue, of request: Request) throws -> String {
        let prompt = applied["prompt"]?.stringValue ?? ""
        guard request.continuesFinalMessage else { return prompt }
        let text = request.messages.last?["content"]?.textOfParts ?? ""
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let range = prompt.range(of: text, options: .backwards) ?? prompt.range(of: trimmed, options: .backwards) else {
            throw APIError.invalid(
                "body.continue_final_message",
                "The last message cannot be continued: the model's chat template does not show its text as it is.")
        }
        return String(prompt[..<range.upperBound])
    }

    /// The template has no place for tools: they are told in the system message.
    private func applyInWords(_ request: inout Request, tools: [Tool], followed: [Tool]) throws -> Applied {
        let mustCall = request.toolChoice.isForced
        // A named function is called once.
        let isNamed = if case .function = request.toolChoice { true } else { false }
        let offers = request.toolChoice != .none
        request.messages = PlainToolCalls.messages(request.messages, tools: offers ? tools : [], mustCall: mustCall)
        request.tools = []
        let format = request.format
        request.toolChoice = .auto
        var applied = try apply(request)
        // A form for the whole answer leaves no room for calls that the model may or may not make.
        guard offers, mustCall || format == nil || format == .text else { return applied }
        applied.grammar = try PlainToolCalls.grammar(tools: followed, mustCall: mustCall, parallel: request.parallelToolCalls && !isNamed)
        applied.parser = PlainToolCallParser()
        return applied
    }

    /// A choice of names leaves only those tools.
    private func offeredTools(_ request: Request) -> [Tool] {
        guard let names = request.toolChoice.names else { return request.tools }
        return request.tools.filter { names.contains($0.function.name) }
    }

    private func json(_ request: Request, tools: [Tool], plain: Bool) -> JSONValue {
        var object = JSONObject([("messages", .array(request.messages)), ("plain", .bool(plain))])
        if !tools.isEmpty {
            object.append("tools", .array(tools.map(\.json)))
            let isNamed = if case .function = request.toolChoice { true } else { false }
            object.append("tool_choice", request.toolChoice == .none ? "none" : request.toolChoice.isForced ? "required" : "auto")
            object.append("parallel_tool_calls", .bool(request.parallelToolCalls && !isNamed))
        }
        object.append("add_generation_prompt", .bool(request.addGenerationPrompt))
        switch request.format {
        case nil, .text, .constrained: break
        case .jsonObject: object.append("json_schema", ["type": "object"])
        case .jsonSchema(_, let schema): object.append("json_schema", schema.isEmpty ? ["type": "object"] : .object(schema))
        }
        var arguments = request.arguments ?? JSONObject()
        if let effort = request.reasoningEffort, effort != "none" { arguments["reasoning_effort"] = .string(effort) }
        let thinks = arguments["enable_thinking"]?.boolValue ?? arguments["thinking"]?.boolValue ?? true
        object.append("enable_thinking", .bool(thinks && request.format?.constraint == nil && request.reasoningEffort != "none"))
        if !arguments.isEmpty { object.append("chat_template_kwargs", .object(arguments)) }
        return .object(object)
    }
}

extension JSONValue {
    var strings: [String] { arrayValue?.compactMap(\.stringValue) ?? [] }
}
