import Foundation

/// C strings that live as long as their owner: sherpa's configurations are structures full of them.
final class CStrings {
    private var owned: [UnsafeMutablePointer<CChar>] = []

    /// NULL stays NULL.
    func callAsFunction(_ text: String?) -> UnsafePointer<CChar>? {
        guard let text, let copy = strdup(text) else { return nil }
        owned.append(copy)
        return UnsafePointer(copy)
    }

    deinit { for string in owned { free(string) } }
}
