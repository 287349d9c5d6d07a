/// The reply of `GET /v1/audio/models`: the models that speak, in the form in which Open WebUI reads them.
public struct AudioModelList: WireObject, Equatable {
    public struct Entry: WireObject, Equatable {
        public var id = ""
        public var name = ""

        public static var schemaName: String { "AudioModel" }
        public init() {}

        public init(_ id: String) { (self.id, name) = (id, id) }
        public static var fields: [Field<Entry>] { [.sent("id", \.id, .string), .sent("name", \.name, .string)] }
    }

    public var models: [Entry] = []

    public init() {}

    public init(_ names: [String]) { models = names.map(Entry.init) }
    public static var fields: [Field<AudioModelList>] { [.sent("models", \.models, .list(of: .object()))] }
}
