import Dispatch
import Foundation
import OmniAPI
import OmniTensor
import Synchronization

/// A conversion that will go through: everything but the weights themselves is read and checked.
public struct ConversionPlan: Sendable {
    let metadata: Metadata
    let tensors: [TensorPlan]
    let layout: GGUFLayout

    /// Bytes of the file.
    public var byteCount: Int { layout.size }
    let type: StoredType

    /// Reads tokenizer and table. `type` is `f32`, `f16` or `bf16`; what most weights have by default. Throws ``ConversionError``.
    public init(_ checkpoint: Checkpoint, type: String? = nil) throws(ConversionError) {
        let (config, architecture) = (checkpoint.config, checkpoint.architecture)
        var source = try TokenizerSource(folder: checkpoint.folder)
        let count = try config.integer("vocab_size")
        // Far more than any model has: a vocabulary is made that large.
        guard count > 0, count <= 1 << 22 else { throw ConversionError(.damaged, config.path, "vocab_size is \(count).") }
        if source.model["byte_fallback"] == .bool(true) { source.dropAdded(from: count) }
        let vocabulary = try Vocabulary(source, count: count, architecture: architecture)
        var table = try architecture.table(config)
        if let head = try Self.answerHead(architecture, config, vocabulary, source) { table.tensors.append(head) }
        self.type = Self.named(type) ?? TensorMap.mainType(checkpoint, table)
        tensors = try TensorMap.plan(checkpoint, table, type: self.type, tokens: count)

        var metadata = Metadata(architecture: architecture.name)
        Self.describe(tensors, self.type, name: Self.safeName(checkpoint.name, source), in: &metadata)
        try architecture.metadata(config, &metadata)
        if !architecture.answers.isEmpty { metadata.set("classifier.output_labels", .strings(architecture.answers)) }
        if let pooling = try Pooling(checkpoint) { metadata.set("pooling_type", .uint32(pooling.rawValue)) }
        // True is what libllama takes anyway, or what it would do wrongly.
        if architecture.saysPrefixSpace, vocabulary.model == "gpt2", source.config?["add_prefix_space"] == .bool(false) {
            metadata.setTokenizer("add_space_prefix", .bool(false))
        }
        vocabulary.write(to: &metadata)
        let generation = try GenerationDefaults(folder: checkpoint.folder)
        var special = try SpecialTokens(source, config: config, count: count)
        special.addEnds(generation.ends, vocabulary)
        special.write(to: &metadata)
        generation.write(to: &metadata)
        if let template = try ChatTemplateFile.text(folder: checkpoint.folder, config: source.config) {
            metadata["tokenizer.chat_template"] = .string(template)
        }
        self.metadata = metadata
        layout = GGUFLayout(metadata, tensors)
    }

    /// The encoders that belong to it, as an mmproj; nil for a checkpoint without. `type` as above. Throws ``ConversionError``.
    public init?(encodersOf checkpoint: Checkpoint, type: String? = nil) throws(ConversionError) {
        guard let projector = checkpoint.architecture.projector else { return nil }
        let file = "\(checkpoint.folder)/preprocessor_config.json"
        guard let preprocessor = try Checkpoint.json(file)?.objectValue else {
            throw ConversionError(.missing, file, "It is not there, and says how pictures are prepared.", remedy: "Fetch the model again.")
        }
        let table = try projector.table(checkpoint.root)
        self.type = Self.named(type) ?? TensorMap.mainType(checkpoint, table)
        tensors = try TensorMap.plan(checkpoint, table, type: self.type, tokens: 0)
        var metadata = Metadata(architecture: "clip", type: "mmproj")
        Self.describe(tensors, self.type, name: checkpoint.name, in: &metadata)
        metadata["clip.projector_type"] = .string(projector.name)
        try projector.metadata(checkpoint.root, Config(preprocessor, path: file), &metadata)
        try GenerationDefaults(folder: checkpoint.folder).write(to: &metadata)
        self.metadata = metadata
        layout = GGUFLayout(metadata, tensors)
    }

    /// Where the rows of the answers' tokens come from; nil for a network without. Throws ``ConversionError`` for a token that is not there.
    private static func answerHead(_ architecture: Architecture, _ config: Config, _ vocabulary: Vocabulary, _ source: TokenizerSource)
        throws(ConversionError) -> TensorRule?
    {
        guard !architecture.answers.isEmpty else { return nil }
        var rows: [Int] = []
        for answer in architecture.answers {
            guard let id = vocabulary.tokens.firstIndex(of: answer) else { throw source.unsupported("It has no token for \"\(answer)\".") }
            rows.append(id)
        }
        return TensorRule(config.flag("tie_word_embeddings") ? "model.embed_tokens" : "lm_head", "cls.output", rows: .chosen(rows))
    }

    /// What is laid out elsewhere.
    init(metadata: Metadata, tensors: [TensorPlan], type: StoredType) {
        (self.metadata, self.tensors, self.type) = (metadata, tensors, type)
        layout = GGUFLayout(metadata, tensors)
    }

    static func named(_ type: String?) -> StoredType? { [StoredType.f32, .f16, .bf16].first { "\($0)" == type } }

    static func describe(_ tensors: [TensorPlan], _ type: StoredType, name: String, in metadata: inout Metadata) {
        metadata["general.name"] = .string(name)
        metadata["general.size_label"] = .string(SizeLabel.text(tensors))
        metadata["general.file_type"] = .uint32(type == .f32 ? 0 : type == .f16 ? 1 : 32)
        metadata["general.quantization_version"] = .uint32(2)
    }

    /// libllama lets the special tokens of models called Phi-3 take the white space behind them, and looks for `</s>` in them.
    private static func safeName(_ name: String, _ source: TokenizerSource) -> String {
        let strips = source.added.contains(where: \.takesRight), isCalled = ["phi-3", "phi3"].contains(where: name.lowercased().contains)
        if strips == isCalled { return name }
        return strips ? "Phi-3 \(name)" : name.replacing(#/(?i)phi-?3/#, with: "Phi 3")
    }

    /// Throws when the disk of `path` has not `bytes` free.
    static func checkSpace(for bytes: Int, at path: String) throws(ConversionError) {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        guard let free = GGUFFile.freeSpace(folder), free < bytes else { return }
        throw ConversionError(
            .disk, path, "It takes \(byteText(Int64(bytes))), and the disk has \(byteText(Int64(free))) free.",
            remedy: "Make room, or choose another disk with --data-dir.")
    }

    /// Writes the file with `threads` threads, telling how far it is from 0 to 1. Blocks.
    func write(_ file: GGUFFile, threads: Int, progress: @escaping @Sendable (Double) -> Void) throws(ConversionError) {
        try file.write(layout.header, at: 0)
        try file.extend(to: layout.size)
        for (tensor, offset) in zip(tensors, layout.offsets) {
            guard case .values(let values) = tensor.content else { continue }
            try file.write(values, at: offset)
        }
        let pieces = zip(tensors, layout.offsets).flatMap { tensor, offset in
            TensorPiece.pieces(of: tensor).map { (piece: $0, offset: offset + $0.place) }
        }
        let total = max(tensors.reduce(0) { $0 + (TensorPiece.pieces(of: $1).isEmpty ? 0 : $1.byteCount) }, 1)
        let next = Atomic<Int>(0), done = Atomic<Int>(0), fault = Mutex<ConversionError?>(nil)
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, pieces.count))) { _ in
            var scratch = PieceScratch()
            while fault.withLock({ $0 }) == nil {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < pieces.count else { return }
                do {
                    let bytes = try pieces[index].piece.stored(&scratch)
                    try file.write(bytes, at: pieces[index].offset)
                    progress(Double(done.add(bytes.count, ordering: .relaxed).newValue) / Double(total))
                } catch {
                    let entry = pieces[index].piece.entry
                    fault.withLock { $0 = $0 ?? (error as? ConversionError) ?? ConversionError(.damaged, entry.file.path, "\(error)") }
                }
            }
        }
        if let fault = fault.withLock({ $0 }) { throw fault }
    }
}
