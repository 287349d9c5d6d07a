import OmniAPI
import OmniAnswerSchema
import OmniHTTP

/// Reads chats as the server's flags have it.
struct ChatDecoder: Sendable {
    /// A template is a program, which can run for ever or exhaust the stack: a stranger's is not run unless every client is trusted.
    let trustsTemplates: Bool

    /// The second result is the value of `x-ignored-params`, if any.
    func decode(_ body: JSONBody, _ context: OmniContext) throws -> (ChatCompletionRequest, ignored: String?) {
        let (chat, ignored) = try context.decode(ChatCompletionRequest.self, from: body, and: \.keywordsWithoutEffect)
        guard chat.chatTemplate == nil || trustsTemplates else {
            throw APIError.invalid(
                "body.chat_template", "This server takes no chat templates from requests.",
                remedy: "--trust-request-chat-template allows them, where every client is trusted.")
        }
        return (chat, ignored)
    }
}
