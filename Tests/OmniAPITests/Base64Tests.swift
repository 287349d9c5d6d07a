import Foundation
import Testing

@testable import OmniAPI

@Suite("Base64")
struct Base64Tests {
    @Test("of any length is read with padding, without, with line breaks and in the URL's alphabet")
    func spellings() {
        for count in 0...70 {
            let data = Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 97 &+ 251) })
            let padded = data.base64EncodedString()
            let bare = padded.filter { $0 != "=" }
            let forURLs = bare.replacing("+", with: "-").replacing("/", with: "_")
            let broken = padded.enumerated().map { $0 > 0 && $0 % 19 == 0 ? "\r\n\($1)" : "\($1)" }.joined()
            for text in [padded, bare, forURLs, broken, padded + "\n"] { #expect(Base64.decode(text) == data, "\(text)") }
        }
    }

    @Test("what is none is refused", arguments: ["a", "abcde", "a===b", "=abc", "ab%3D", "é", "ab*d", "ab=c"])
    func nonsense(text: String) { #expect(Base64.decode(text) == nil) }
}
