"""Credentials that others define: citizenship, driving licences, barcodes."""

from __future__ import annotations

from typing import Final

TABLES: Final = {
    "https://w3id.org/citizenship/v1": """
prefix ctzn_ https://w3id.org/citizenship#
prefix schema_ http://schema.org/
@version 1.1
@protected true
name = schema_:name
description = schema_:description
identifier = schema_:identifier
image schema_:image type=@id
PermanentResidentCard ctzn_:PermanentResidentCard
  @version 1.1
  @protected true
  id = @id
  type = @type
  description = schema_:description
  name = schema_:name
  identifier = schema_:identifier
  image schema_:image type=@id
PermanentResident ctzn_:PermanentResident
  @version 1.1
  @protected true
  id = @id
  type = @type
  ctzn = https://w3id.org/citizenship#
  schema = http://schema.org/
  xsd = http://www.w3.org/2001/XMLSchema#
  birthCountry = ctzn:birthCountry
  birthDate schema:birthDate type=xsd:dateTime
  commuterClassification = ctzn:commuterClassification
  familyName = schema:familyName
  gender = schema:gender
  givenName = schema:givenName
  lprCategory = ctzn:lprCategory
  lprNumber = ctzn:lprNumber
  residentSince ctzn:residentSince type=xsd:dateTime
Person = schema_:Person
""",
    "https://w3id.org/citizenship/v4rc1": """
prefix ctzn https://w3id.org/citizenship#
prefix schema https://schema.org/
prefix sec https://w3id.org/security#
prefix xsd http://www.w3.org/2001/XMLSchema#
@protected true
image schema:image type=@id
QuantitativeValue schema:QuantitativeValue
  @protected true
  unitCode = schema:unitCode
  value = schema:value
PostalAddress schema:PostalAddress
  @protected true
  addressCountry = schema:addressCountry
  addressLocality = schema:addressLocality
  addressRegion = schema:addressRegion
Person schema:Person
  @protected true
  id = @id
  type = @type
  additionalName = schema:additionalName
  birthCountry = ctzn:birthCountry
  birthDate schema:birthDate type=xsd:dateTime
  familyName = schema:familyName
  gender = schema:gender
  givenName = schema:givenName
  height = schema:height
  image schema:image type=@id
  maritalStatus = ctzn:maritalStatus
  marriageCertificateNumber = ctzn:marriageCertificateNumber
  marriageLocation ctzn:marriageLocation type=@id
PermanentResident ctzn:PermanentResident
  @protected true
  id = @id
  type = @type
  commuterClassification = ctzn:commuterClassification
  formerNationality = ctzn:formerNationality
  permanentResidentCard ctzn:permanentResidentCard type=@id
  residence ctzn:residence type=@id
  residentSince ctzn:residentSince type=xsd:dateTime
PermanentResidentCard ctzn:PermanentResidentCard
  @protected true
  id = @id
  type = @type
  filingLocation ctzn:filingLocation type=@id
  identifier = schema:identifier
  lprCategory = ctzn:lprCategory
  lprNumber = ctzn:lprNumber
  mrzHash ctzn:mrzHash type=sec:multibase
PermanentResidentCardCredential = ctzn:PermanentResidentCardCredential
EmployablePerson ctzn:EmployablePerson
  @protected true
  id = @id
  type = @type
  commuterClassification = ctzn:commuterClassification
  employmentAuthorizationDocument ctzn:employmentAuthorizationDocument type=@id
  formerNationality = ctzn:formerNationality
  residence ctzn:residence type=@id
  residentSince ctzn:residentSince type=xsd:dateTime
EmploymentAuthorizationDocument ctzn:EmploymentAuthorizationDocument
  @protected true
  id = @id
  type = @type
  filingLocation ctzn:filingLocation type=@id
  identifier = schema:identifier
  lprCategory = ctzn:lprCategory
  lprNumber = ctzn:lprNumber
  mrzHash ctzn:mrzHash type=sec:multibase
EmploymentAuthorizationDocumentCredential = ctzn:EmploymentAuthorizationDocumentCredential
NaturalizedPerson ctzn:NaturalizedPerson
  @protected true
  id = @id
  type = @type
  formerNationality = ctzn:formerNationality
  certificateOfNaturalization ctzn:certificateOfNaturalization type=@id
  residence ctzn:residence type=@id
  residentSince ctzn:residentSince type=xsd:dateTime
  commuterClassification = ctzn:commuterClassification
CertificateOfNaturalization ctzn:CertificateOfNaturalization
  @protected true
  id = @id
  type = @type
  ceremonyDate ctzn:ceremonyDate type=xsd:dateTime
  ceremonyLocation ctzn:ceremonyLocation type=@id
  filingLocation ctzn:filingLocation type=@id
  naturalizationLocation ctzn:naturalizationLocation type=@id
  naturalizedBy = ctzn:naturalizedBy
  identifier = schema:identifier
  insRegistrationNumber = ctzn:insRegistrationNumber
CertificateOfNaturalizationCredential = ctzn:CertificateOfNaturalizationCredential
Citizen ctzn:Citizen
  @protected true
  id = @id
  type = @type
  certificateOfCitizenship ctzn:certificateOfCitizenship type=@id
CertificateOfCitizenship ctzn:CertificateOfCitizenship
  @protected true
  id = @id
  type = @type
  filingLocation ctzn:filingLocation type=@id
  identifier = schema:identifier
  ceremonyDate ctzn:ceremonyDate type=xsd:dateTime
  ceremonyLocation ctzn:ceremonyLocation type=@id
  cisRegistrationNumber = ctzn:cisRegistrationNumber
CertificateOfCitizenshipCredential = ctzn:CertificateOfCitizenshipCredential
""",
    "https://w3id.org/vdl/v1": """
prefix schema https://schema.org/
prefix vdl https://w3id.org/vdl#
prefix xsd http://www.w3.org/2001/XMLSchema#
@protected true
id = @id
type = @type
name = schema:name
description = schema:description
image schema:image type=@id
url schema:url type=@id
Iso18013DriversLicenseCredential = vdl:Iso18013DriversLicenseCredential
LicensedDriver vdl:LicensedDriver type=@id
  @protected true
  driversLicense vdl:license type=@id
Iso18013DriversLicense vdl:Iso18013DriversLicense
  @protected true
  administrative_number = vdl:administrativeNumber
  age_birth_year vdl:ageBirthYear type=xsd:unsignedInt
  age_in_years vdl:ageInYears type=xsd:unsignedInt
  age_over_18 = vdl:ageOver18
  age_over_21 = vdl:ageOver21
  age_over_25 = vdl:ageOver25
  age_over_62 = vdl:ageOver62
  age_over_65 = vdl:ageOver65
  birth_date vdl:birthDate type=xsd:dateTime
  birth_place = vdl:birthPlace
  document_number = vdl:documentNumber
  driving_privileges vdl:drivingPrivileges type=@json
  expiry_date vdl:expiryDate type=xsd:dateTime
  eye_colour = vdl:eyeColour
  family_name = vdl:familyName
  family_name_national_character = vdl:familyNameNationalCharacter
  given_name = vdl:givenName
  given_name_national_character = vdl:givenNameNationalCharacter
  hair_colour = vdl:hairColour
  height vdl:height type=xsd:unsignedInt
  issue_date vdl:issueDate type=xsd:dateTime
  issuing_authority = vdl:issuingAuthority
  issuing_country = vdl:issuingCountry
  issuing_jurisdiction = vdl:issuingJurisdiction
  nationality = vdl:nationality
  portrait vdl:portrait type=@id
  portrait_capture_date vdl:portraitCaptureDate type=xsd:dateTime
  resident_address = vdl:residentAddress
  resident_city = vdl:residentCity
  resident_country = vdl:residentCountry
  resident_postal_code = vdl:residentPostalCode
  resident_state = vdl:residentState
  sex vdl:sex type=xsd:unsignedInt
  signature_usual_mark vdl:signatureUsualMark type=@id
  un_distinguishing_sign = vdl:unDistinguishingSign
  weight vdl:weight type=xsd:unsignedInt
""",
    "https://w3id.org/vdl/v2": """
prefix schema https://schema.org/
prefix vdl https://w3id.org/vdl#
prefix xsd http://www.w3.org/2001/XMLSchema#
@protected true
id = @id
type = @type
name = schema:name
description = schema:description
image schema:image type=@id
url schema:url type=@id
Iso18013DriversLicenseCredential = vdl:Iso18013DriversLicenseCredential
LicensedDriver vdl:LicensedDriver type=@id
  @protected true
  driversLicense vdl:license type=@id
Iso18013DriversLicense vdl:Iso18013DriversLicense
  @protected true
  administrative_number = vdl:administrativeNumber
  age_birth_year vdl:ageBirthYear type=xsd:unsignedInt
  age_in_years vdl:ageInYears type=xsd:unsignedInt
  age_over_18 = vdl:ageOver18
  age_over_21 = vdl:ageOver21
  age_over_25 = vdl:ageOver25
  age_over_62 = vdl:ageOver62
  age_over_65 = vdl:ageOver65
  birth_date vdl:birthDate type=xsd:dateTime
  birth_place = vdl:birthPlace
  document_number = vdl:documentNumber
  driving_privileges vdl:drivingPrivileges type=@json
  expiry_date vdl:expiryDate type=xsd:dateTime
  eye_colour = vdl:eyeColour
  family_name = vdl:familyName
  family_name_national_character = vdl:familyNameNationalCharacter
  given_name = vdl:givenName
  given_name_national_character = vdl:givenNameNationalCharacter
  hair_colour = vdl:hairColour
  height vdl:height type=xsd:unsignedInt
  issue_date vdl:issueDate type=xsd:dateTime
  issuing_authority = vdl:issuingAuthority
  issuing_country = vdl:issuingCountry
  issuing_jurisdiction = vdl:issuingJurisdiction
  nationality = vdl:nationality
  portrait vdl:portrait type=@id
  portrait_capture_date vdl:portraitCaptureDate type=xsd:dateTime
  resident_address = vdl:residentAddress
  resident_city = vdl:residentCity
  resident_country = vdl:residentCountry
  resident_postal_code = vdl:residentPostalCode
  resident_state = vdl:residentState
  sex vdl:sex type=xsd:unsignedInt
  signature_usual_mark vdl:signatureUsualMark type=@id
  un_distinguishing_sign = vdl:unDistinguishingSign
  weight vdl:weight type=xsd:unsignedInt
OpticalBarcodeCredential = vdl:OpticalBarcodeCredential
TerseBitstringStatusListEntry vdl:TerseBitstringStatusListEntry
  @protected true
  id = @id
  type = @type
  terseStatusListBaseUrl vdl:terseStatusListBaseUrl type=@id
  terseStatusListIndex = vdl:terseStatusListIndex
""",
    "https://w3id.org/vdl/aamva/v1": """
prefix aamva https://w3id.org/vdl/aamva#
prefix xsd http://www.w3.org/2001/XMLSchema#
@protected true
aamva_aka_family_name_v2 = aamva:akaFamilyNameV2
aamva_aka_given_name_v2 = aamva:akaGivenNameV2
aamva_aka_suffix = aamva:akaSuffix
aamva_cdl_indicator aamva:cdlIndicator type=xsd:unsignedInt
aamva_dhs_compliance = aamva:dhsCompliance
aamva_dhs_compliance_text = aamva:dhsCompliance_text
aamva_dhs_temporary_lawful_status aamva:dhsTemporaryLawfulStatus type=xsd:unsignedInt
aamva_domestic_driving_privileges aamva:domesticDrivingPrivileges type=@json
aamva_edl_credential aamva:edlCredential type=xsd:unsignedInt
aamva_family_name_truncation = aamva:familyNameTruncation
aamva_given_name_truncation = aamva:givenNameTruncation
aamva_hazmat_endorsement_expiration_date aamva:hazmatEndorsementExpirationDate type=xsd:dateTime
aamva_name_suffix = aamva:nameSuffix
aamva_organ_donor aamva:organDonor type=xsd:unsignedInt
aamva_race_ethnicity = aamva:raceEthnicity
aamva_resident_county = aamva:residentCounty
aamva_sex aamva:sex type=xsd:unsignedInt
aamva_veteran aamva:veteran type=xsd:unsignedInt
aamva_weight_range aamva:weightRange type=xsd:unsignedInt
""",
    "https://w3id.org/vc-barcodes/v1": """
prefix barcode https://w3id.org/vc-barcodes#
@protected true
id = @id
type = @type
MachineReadableZone = barcode:MachineReadableZone
AamvaDriversLicenseScannableInformation = barcode:AamvaDriversLicenseScannableInformation
protectedComponentIndex barcode:protectedComponentIndex type=https://w3id.org/security#multibase
OpticalBarcodeCredential = barcode:OpticalBarcodeCredential
TerseBitstringStatusListEntry barcode:TerseBitstringStatusListEntry
  @protected true
  id = @id
  type = @type
  terseStatusListBaseUrl barcode:terseStatusListBaseUrl type=@id
  terseStatusListIndex = barcode:terseStatusListIndex
""",
}
