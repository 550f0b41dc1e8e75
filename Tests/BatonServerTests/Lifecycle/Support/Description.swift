import Foundation
import RelayTesting
import Testing

extension LifecycleTests {
    /// The API's own description, held against what it answers.
    struct Description {
        private let document: [String: Any]

        init(_ text: String) throws {
            document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }

        /// Every path with its methods in capitals.
        var operations: Set<String> {
            let paths = document["paths"] as? [String: [String: Any]] ?? [:]
            return Set(paths.flatMap { path, methods in methods.keys.map { "\($0.uppercased()) \(path)" } })
        }

        /// What of an answer is not as described; nothing if all is.
        func faults(in reply: Web.Reply, to method: String, _ path: String) throws -> [String] {
            let paths = try #require(document["paths"] as? [String: [String: Any]])
            let operation = try #require(paths[path]?[method.lowercased()] as? [String: Any], "\(method) \(path)")
            let responses = try #require(operation["responses"] as? [String: Any])
            guard let response = resolved(responses["\(reply.status)"]) else {
                return ["status \(reply.status) is not described"]
            }
            guard let content = response["content"] as? [String: [String: Any]] else {
                return reply.body.isEmpty ? [] : ["there is a body"]
            }
            guard let json = content["application/json"] else { return [] }
            guard reply.headers["content-type"]?.hasPrefix("application/json") == true else { return ["no JSON"] }
            let value = try JSONSerialization.jsonObject(with: Data(reply.body.utf8))
            return faults(in: value, by: json["schema"], at: "answer")
        }

        private func faults(in value: Any, by schema: Any?, at place: String) -> [String] {
            guard let schema = resolved(schema) else { return ["\(place): no schema"] }
            let choices = schema["enum"] as? [String]
            if let choices, !choices.contains(value as? String ?? "") { return ["\(place): \(value) is no choice"] }
            switch schema["type"] as? String {
            case "string": return value is String ? [] : ["\(place): no text"]
            case "integer", "number": return value is NSNumber ? [] : ["\(place): no number"]
            case "array":
                guard let items = value as? [Any] else { return ["\(place): no array"] }
                return items.enumerated().flatMap { faults(in: $1, by: schema["items"], at: "\(place)[\($0)]") }
            case "object":
                guard let members = value as? [String: Any] else { return ["\(place): no object"] }
                let known = schema["properties"] as? [String: Any] ?? [:]
                let missing = (schema["required"] as? [String] ?? []).filter { members[$0] == nil }
                return missing.map { "\(place).\($0) is missing" }
                    + members.flatMap { name, member -> [String] in
                        if let schema = known[name] { return faults(in: member, by: schema, at: "\(place).\(name)") }
                        switch schema["additionalProperties"] {
                        case let schema as [String: Any]: return faults(in: member, by: schema, at: "\(place).\(name)")
                        case nil: return []
                        default: return ["\(place).\(name) is not described"]
                        }
                    }
            default: return ["\(place): unknown type"]
            }
        }

        /// Follows a reference.
        private func resolved(_ object: Any?) -> [String: Any]? {
            guard let object = object as? [String: Any], let reference = object["$ref"] as? String else {
                return object as? [String: Any]
            }
            var found: Any? = document
            for part in reference.split(separator: "/").dropFirst() {
                found = (found as? [String: Any])?[String(part)]
            }
            return found as? [String: Any]
        }
    }
}
