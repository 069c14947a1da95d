package salesforce

// scimConfig says what the service can (RFC 7643 §5).
func scimConfig(root string) map[string]any {
	no := map[string]any{"supported": false}
	return map[string]any{
		"schemas":        []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":          map[string]any{"supported": true},
		"bulk":           map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter":         map[string]any{"supported": true, "maxResults": maxSCIMPage},
		"changePassword": no, "sort": no, "etag": map[string]any{"supported": true},
		"authenticationSchemes": []map[string]any{{
			"type": "oauthbearertoken", "name": "OAuth Bearer Token", "description": "The access token of a session, as for the REST API", "primary": true,
		}},
		"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": root + "/ServiceProviderConfig"},
	}
}

// scimResourceTypes lists the kinds of resources (RFC 7643 §6).
func scimResourceTypes(root string) []map[string]any {
	kind := func(name, place, description, schema string) map[string]any {
		return map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": name, "name": name, "endpoint": "/" + place,
			"description": description, "schema": schema, "meta": map[string]any{"resourceType": "ResourceType", "location": root + "/ResourceTypes/" + name},
		}
	}
	user := kind("User", "Users", "Users of the org", scimUserURN)
	user["schemaExtensions"] = []map[string]any{{"schema": scimEnterpriseURN, "required": false}}
	return []map[string]any{
		user, kind("Group", "Groups", "Public groups", scimGroupURN), kind("Entitlement", "Entitlements", "Profiles and permission sets", scimEntitlementURN),
	}
}

// scimTraits changes an attribute's definition from that of optional text, which case does not matter in.
type scimTraits func(a map[string]any)

func scimDefine(name, kind, description string, traits ...scimTraits) map[string]any {
	a := map[string]any{
		"name": name, "type": kind, "description": description, "multiValued": false, "required": false, "mutability": "readWrite", "returned": "default",
	}
	if kind == "string" || kind == "reference" {
		a["caseExact"], a["uniqueness"] = false, "none"
	}
	for _, t := range traits {
		t(a)
	}
	return a
}

func scimWith(name string, value any) scimTraits { return func(a map[string]any) { a[name] = value } }

func scimParts(parts ...map[string]any) scimTraits { return scimWith("subAttributes", parts) }

// scimSchemas describes the attributes of each kind of resource (RFC 7643 §7).
func scimSchemas(root string) []map[string]any {
	schema := func(id, name, description string, attributes ...map[string]any) map[string]any {
		return map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": id, "name": name, "description": description, "attributes": attributes,
			"meta": map[string]any{"resourceType": "Schema", "location": root + "/Schemas/" + id},
		}
	}
	required, many, fixed := scimWith("required", true), scimWith("multiValued", true), scimWith("mutability", "readOnly")
	return []map[string]any{
		schema(scimUserURN, "User", "A user of the org", scimUserAttributes()...),
		schema(scimEnterpriseURN, "EnterpriseUser", "What an organization keeps of a user",
			scimDefine("department", "string", "Department"), scimDefine("organization", "string", "Company name")),
		schema(scimGroupURN, "Group", "A public group",
			scimDefine("displayName", "string", "Name", required, fixed),
			scimDefine("members", "complex", "Users and groups in it", many, scimParts(
				scimDefine("value", "string", "Id", required, scimWith("mutability", "immutable")), scimDefine("display", "string", "Name", fixed), scimDefine("type", "string", "User or Group", fixed),
				scimDefine("$ref", "reference", "Address", fixed, scimWith("referenceTypes", []string{"User", "Group"})),
			))),
		schema(scimEntitlementURN, "Entitlement", "A profile or a permission set",
			scimDefine("displayName", "string", "Name or label", fixed), scimDefine("type", "string", "Profile or PermissionSet", fixed)),
	}
}

func scimUserAttributes() []map[string]any {
	required, many, fixed := scimWith("required", true), scimWith("multiValued", true), scimWith("mutability", "readOnly")
	element := func(types ...string) scimTraits {
		return scimParts(scimDefine("value", "string", "The value", required),
			scimDefine("type", "string", "What it is for", scimWith("canonicalValues", types)), scimDefine("primary", "boolean", "Whether it is the first one"))
	}
	return []map[string]any{
		scimDefine("userName", "string", "Name to sign in with", required, scimWith("uniqueness", "global")),
		scimDefine("name", "complex", "Name of the person", required, scimParts(
			scimDefine("formatted", "string", "The whole name", fixed), scimDefine("familyName", "string", "Last name", required),
			scimDefine("givenName", "string", "First name"),
		)),
		scimDefine("displayName", "string", "The whole name", fixed),
		scimDefine("nickName", "string", "Nickname; made of userName where none is given"),
		scimDefine("title", "string", "Title"),
		scimDefine("userType", "string", "Kind of user", fixed),
		scimDefine("preferredLanguage", "string", "Language, such as en_US"),
		scimDefine("locale", "string", "Locale, such as en_US"),
		scimDefine("timezone", "string", "Time zone, such as Europe/Paris"),
		scimDefine("active", "boolean", "Whether the user may sign in"),
		scimDefine("emails", "complex", "The e-mail address; of several the primary one is kept", many, required, element("work")),
		scimDefine("phoneNumbers", "complex", "A phone number of work and a mobile one", many, element("work", "mobile")),
		scimDefine(scimEntitlements, "complex", "The profile, exactly one, and permission sets", many, required, element("Profile", "PermissionSet")),
		scimDefine("groups", "complex", "Public groups the user is in", many, fixed, scimParts(
			scimDefine("value", "string", "Id", fixed), scimDefine("display", "string", "Name", fixed),
			scimDefine("$ref", "reference", "Address", fixed, scimWith("referenceTypes", []string{"Group"})),
		)),
	}
}
