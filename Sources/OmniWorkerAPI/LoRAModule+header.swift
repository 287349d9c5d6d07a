import Foundation
import OmniAPI

extension LoRAModule {
    /// As one header carries it: JSON, percent-encoded.
    public var headerValue: String { json.jsonText.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "" }

    /// Throws ``APIError`` (400) for what no gateway of this version writes.
    public init(headerValue: String) throws {
        let text = headerValue.removingPercentEncoding ?? ""
        try self.init(json: try JSONValue.parse(text), at: .root(WorkerProtocol.adapterHeader))
    }
}
