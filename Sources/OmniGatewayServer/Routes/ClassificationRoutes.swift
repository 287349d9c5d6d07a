import OmniAPI
import OmniEngine
import OmniHTTP

/// `/classify` and `/pooling`.
struct ClassificationRoutes: RouteGroup {
    let forwarder: Forwarder

    func add(to table: inout RouteTable) {
        let classes = RouteDoc("The classes of texts, as a classifier tells them.", .retrieval)
            .takes(ClassificationRequest.self, example: ["input": ["What a lovely day."]])
            .answers(ClassificationReply.self)
            .fails(.reading + .serving)
        let pooling = RouteDoc("What a model makes of texts, whatever that is: vectors, or probabilities of classes.", .retrieval)
            .takes(PoolingRequest.self, example: ["input": ["a sentence"]])
            .answers(PoolingReply.self)
            .fails(.reading + .serving)
        forwarder.addRoute(
            to: &table, "/classify", classes, task: "classification", able: [.classification], ClassificationRequest.self, model: \.model)
        forwarder.addRoute(
            to: &table, "/pooling", pooling, task: "pooling", able: [.embeddings, .classification], PoolingRequest.self, model: \.model)
    }
}
