/// What `torch.save` writes for dictionaries of tensors and numbers, and nothing else: whatever a pickle would have called or made
/// besides is refused by name. Nothing is executed.
struct Unpickler {
    indirect enum Value {
        case none
        case bool(Bool)
        case int(Int)
        case string(String)
        /// With how many stand in one another at most.
        case tuple([Value], depth: Int)
        case dictionary(Int)
        case global(String)
        /// An entry of the archive with so many floats.
        case storage(String, Int)
        case tensor(TorchTensor)
    }

    /// Where a tensor's values lie.
    struct TorchTensor: Equatable {
        let storage: String
        let stored: Int
        let offset: Int
        /// As PyTorch writes them.
        let shape, strides: [Int]
    }

    /// Dictionaries, which are filled after they were made: by number.
    private(set) var dictionaries: [[String: Value]] = []
    private var input: ArraySlice<UInt8>
    private var stack: [Value] = []
    private var marks: [Int] = []
    private var memo: [Int: Value] = [:]

    /// Most values that may be alive.
    private static let most = 10_000
    /// Most bytes of a pickle.
    private static let mostBytes = 1 << 20
    private static let known: Set<String> = [
        "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch FloatStorage",
    ]

    init(_ bytes: ArraySlice<UInt8>) { input = bytes }

    /// The one value of the pickle.
    mutating func run() throws -> Value {
        guard input.count <= Self.mostBytes else { throw TorchFileError("has a pickle of \(input.count) bytes") }
        while true {
            let code = try byte()
            if code == UInt8(ascii: ".") { break }
            try execute(code)
            guard stack.count <= Self.most, memo.count <= Self.most, dictionaries.count <= Self.most else {
                throw TorchFileError("has a pickle with more than \(Self.most) values")
            }
        }
        guard stack.count == 1, marks.isEmpty else { throw TorchFileError("has a pickle that ends with \(stack.count) values") }
        return stack[0]
    }

    private mutating func execute(_ code: UInt8) throws {
        switch code {
        case 0x80:
            let version = try byte()
            guard (2...5).contains(version) else { throw TorchFileError("has a pickle of protocol \(version)") }
        case 0x95: _ = try take(8)
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88, 0x89: stack.append(.bool(code == 0x88))
        case UInt8(ascii: "K"): stack.append(.int(try number(1)))
        case UInt8(ascii: "M"): stack.append(.int(try number(2)))
        case UInt8(ascii: "J"): stack.append(.int(Int(Int32(truncatingIfNeeded: try number(4)))))
        case 0x8a: stack.append(.int(try long()))
        case UInt8(ascii: "X"): stack.append(.string(try text(number(4))))
        case 0x8c: stack.append(.string(try text(number(1))))
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: ")"): stack.append(.tuple([], depth: 1))
        case UInt8(ascii: "t"): stack.append(try makeTuple(popMark()))
        case 0x85, 0x86, 0x87:
            let items = try (0..<Int(code) - 0x84).map { _ in try pop() }
            stack.append(try makeTuple(items.reversed()))
        case UInt8(ascii: "}"): stack.append(makeDictionary())
        case UInt8(ascii: "s"):
            let (value, key) = (try pop(), try pop())
            try set([key, value])
        case UInt8(ascii: "u"): try set(popMark())
        case UInt8(ascii: "q"): memo[try number(1)] = try top()
        case UInt8(ascii: "r"): memo[try number(4)] = try top()
        case 0x94: memo[memo.count] = try top()
        case UInt8(ascii: "h"): stack.append(try remembered(number(1)))
        case UInt8(ascii: "j"): stack.append(try remembered(number(4)))
        case UInt8(ascii: "c"): try push(global: line(), line())
        case 0x93:
            guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
                throw TorchFileError("has a broken pickle")
            }
            try push(global: module, name)
        case UInt8(ascii: "Q"): stack.append(try storage(pop()))
        case UInt8(ascii: "R"):
            let (arguments, function) = (try pop(), try pop())
            stack.append(try call(function, arguments))
        default: throw TorchFileError("has a pickle with the instruction 0x\(String(code, radix: 16)), which no file of voices needs")
        }
    }

    // MARK: what may be called

    private mutating func push(global module: String, _ name: String) throws {
        let global = "\(module) \(name)"
        guard Self.known.contains(global) else { throw TorchFileError("wants \(module).\(name), which no file of voices needs") }
        stack.append(.global(global))
    }

    private mutating func call(_ function: Value, _ arguments: Value) throws -> Value {
        guard case .global(let name) = function, case .tuple(let items, _) = arguments else { throw TorchFileError("has a broken pickle") }
        switch name {
        case "collections OrderedDict" where items.isEmpty: return makeDictionary()
        case "torch._utils _rebuild_tensor_v2":
            guard items.count >= 4, case .storage(let storage, let stored) = items[0], case .int(let offset) = items[1],
                let shape = Self.sizes(items[2]), let strides = Self.sizes(items[3]), shape.count == strides.count
            else { throw TorchFileError("has a tensor that is not described as torch does") }
            return .tensor(TorchTensor(storage: storage, stored: stored, offset: offset, shape: shape, strides: strides))
        default: throw TorchFileError("calls \(name) with \(items.count) values")
        }
    }

    /// `("storage", torch.FloatStorage, entry, device, count)`.
    private func storage(_ value: Value) throws -> Value {
        guard case .tuple(let items, _) = value, items.count == 5, case .string("storage") = items[0], case .global(let type) = items[1],
            case .string(let entry) = items[2], case .int(let count) = items[4], count >= 0
        else { throw TorchFileError("has a storage that is not described as torch does") }
        guard type == "torch FloatStorage" else { throw TorchFileError("has a storage of \(type)") }
        return .storage(entry, count)
    }

    private static func sizes(_ value: Value) -> [Int]? {
        guard case .tuple(let items, _) = value, items.count <= 4 else { return nil }
        let numbers = items.compactMap { item in if case .int(let number) = item { number } else { nil } }
        return numbers.count == items.count && numbers.allSatisfy { (0...1 << 30).contains($0) } ? numbers : nil
    }

    // MARK: stack

    private mutating func makeDictionary() -> Value {
        dictionaries.append([:])
        return .dictionary(dictionaries.count - 1)
    }

    /// What is nested is freed by recursion: deep nests are refused.
    private func makeTuple(_ items: [Value]) throws -> Value {
        let depth = items.reduce(0) { most, item in if case .tuple(_, let depth) = item { max(most, depth) } else { most } }
        guard depth < 8 else { throw TorchFileError("has a pickle with tuples in tuples") }
        return .tuple(items, depth: depth + 1)
    }

    private mutating func set(_ items: [Value]) throws {
        guard case .dictionary(let number) = try top(), items.count % 2 == 0 else { throw TorchFileError("has a broken pickle") }
        for place in stride(from: 0, to: items.count, by: 2) {
            guard case .string(let key) = items[place] else { throw TorchFileError("has a dictionary whose keys are no strings") }
            dictionaries[number][key] = items[place + 1]
        }
    }

    private func top() throws -> Value {
        guard let value = stack.last, stack.count > marks.last ?? 0 else { throw TorchFileError("has a broken pickle") }
        return value
    }

    private mutating func pop() throws -> Value {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func popMark() throws -> [Value] {
        guard let mark = marks.popLast(), mark <= stack.count else { throw TorchFileError("has a broken pickle") }
        let items = Array(stack[mark...])
        stack.removeSubrange(mark...)
        return items
    }

    private func remembered(_ place: Int) throws -> Value {
        guard let value = memo[place] else { throw TorchFileError("has a broken pickle") }
        return value
    }

    // MARK: bytes

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count <= input.count else { throw TorchFileError("has a pickle that is cut short") }
        defer { input = input.dropFirst(count) }
        return input.prefix(count)
    }

    private mutating func byte() throws -> UInt8 { try take(1).first ?? 0 }

    private mutating func number(_ width: Int) throws -> Int { try take(width).reversed().reduce(0) { $0 << 8 | Int($1) } }

    /// A number of one to eight bytes with a sign.
    private mutating func long() throws -> Int {
        let bytes = try take(Int(byte()))
        guard bytes.count <= 8 else { throw TorchFileError("has a number of \(bytes.count) bytes") }
        let sign = (bytes.last ?? 0) >= 0x80 ? -1 : 0
        return bytes.reversed().reduce(sign) { $0 << 8 | Int($1) }
    }

    private mutating func text(_ count: Int) throws -> String {
        guard let text = String(validating: try take(count), as: UTF8.self) else { throw TorchFileError("has a string that is no UTF-8") }
        return text
    }

    private mutating func line() throws -> String {
        guard let end = input.firstIndex(of: 0x0a) else { throw TorchFileError("has a pickle that is cut short") }
        let text = try text(input.distance(from: input.startIndex, to: end))
        _ = try byte()
        return text
    }
}
