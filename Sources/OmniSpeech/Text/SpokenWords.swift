/// The words of a text without Markdown, HTML and SSML, for models that read by themselves. Pauses that it asks for are left out.
public enum SpokenWords {
    /// Blocks for about a second where there are 200,000 characters.
    public static func of(_ text: String) -> String {
        SpeechText(text, longest: .max).units.map(\.text).joined(separator: " ")
    }
}
