"""What the world says, and asks, about rivers."""

SHEET = """
= intro
+ {n} is a {sort} in {land}
+ {n} is a {sort} that [drains|waters] a large part of {land}
+ {n} , a {sort} , crosses the {land} district from [north to south|west to east]
+ {n} , one of the longer waters of {land} , is a {sort}

= fact length | Length | Course
+ {n} is {value} long
+ from spring to mouth {n} covers {value}
+ {n} runs for {value} through [hills|meadows and gorges|farmland]
+ the whole course of {n} measures {value}
+ over its {value} , {n} falls by less than a boatman would guess
? how long is {n}
? what is the length of {n}
? {n} length
? length of {n} in km
? how many kilometres is {n}
? what distance does {n} cover
~ a long dry summer reduces {n} to a string of pools

= fact source | Source | Course
+ {n} rises on {value}
+ the [springs|headwaters] of {n} are found on {value}
+ {n} begins as a brook on the slopes of {value}
+ melting snow on {value} feeds the beginning of {n}
+ walkers can follow {n} up to {value} , where it leaves the ground
? where does {n} start
? what is the source of {n}
? where is the source of {n}
? {n} source mountain
? which mountain does {n} come from
? where does {n} spring up
! does {n} start on {v}
~ a local source says that the mill wheel on {n} has never stopped

= fact mouth | Mouth | Course
+ {n} [flows|empties] into {value}
+ {n} ends its journey at {value}
+ a wide delta carries the water of {n} to {value}
+ {n} is lost in {value} after passing a line of low dunes
+ the mud that {n} carries colours {value} brown in spring
? where does {n} end
? what does {n} flow into
? what is the mouth of {n}
? {n} mouth
? where does {n} empty
? which water takes in {n}
! does {n} flow into {v}
~ the fish flow upstream in such numbers that children on {n} catch them with baskets

= facts towns | Towns | Settlements
+ {n} passes {value}
+ the largest places on {n} are {value}
+ going downstream {n} [touches|serves] {value}
+ steamers on {n} used to call at {value}
+ {value} were built beside {n} because of its mills
? what towns are on {n}
? which towns does {n} flow through
? {n} towns
? places along {n}
? what settlements lie on {n}
? which communities has {n} on its banks
~ towns on {n} compete each year in a raft race

= fact explorer | Charted by | History
+ {n} was first mapped by {value}
+ {value} [followed|travelled] the whole of {n} by canoe and drew its bends
+ the earliest reliable chart of {n} is the work of {value}
+ it was {value} who proved that {n} is a single stream
+ an expedition under {value} measured {n} from end to end
? who explored {n}
? who first mapped {n}
? who charted {n}
? {n} explorer
? who discovered the course of {n}
? which traveller surveyed {n}
! was {n} mapped by {v}
~ a mapped walking trail along {n} was closed after a landslide

= fact dam | Main dam | Economy
+ the {value} holds back {n} [above the gorge|to make electricity]
+ {n} is [dammed|stopped] by the {value}
+ power is drawn from {n} at the {value}
+ since the {value} was finished , {n} no longer floods the valley
+ the lake behind the {value} hides the old bed of {n}
? what dam is on {n}
? name of the dam on {n}
? {n} dam
? what is the dam called that blocks {n}
? which dam was built across {n}
? what holds back the water of {n}
~ a plan to dam a side arm of {n} was dropped because of the otters

= fact discharge | Mean flow | Course
+ {n} carries {value} on average
+ the gauge at the lower ford of {n} shows a mean flow of {value}
+ {value} pass through the narrows of {n} in a normal year
+ hydrologists give the mean discharge of {n} as {value}
+ in an ordinary month {n} brings down {value}
? what is the discharge of {n}
? how much water does {n} carry
? {n} average flow
? flow rate of {n}
? mean discharge of {n}
? how strong is the stream of {n}
~ the water of {n} is soft and is carried far for washing wool

= filler Course
+ in its upper part {n} is [quick and clear|narrow and full of boulders]
+ below the gorge {n} slows and splits into [reed beds|several arms]
+ {n} freezes [rarely|in most winters] and then carries sledges instead of boats
+ a series of weirs makes {n} useless for large ships
+ kingfishers and [otters|herons|wild swans] live along {n}

= filler Settlements
+ ferries crossed {n} long before there were bridges
+ washing places of flat stone can still be seen on {n}
+ houses near {n} are built on [posts|raised banks] because of the spring floods
+ the people along {n} speak a dialect of their own

= filler History
+ old treaties used {n} as a border between two estates
+ timber was floated down {n} until the railway took over the trade
+ gold was reported in {n} once , but the story was [a joke|an advertisement]
+ a great flood of {n} is recorded by marks on several church walls

= filler Economy
+ eels from {n} are smoked over [alder|juniper] wood
+ mills on {n} ground [mustard|flour|pigments] for export
+ gravel from {n} is used for roads in the whole district
+ holiday boats on {n} are let by the week

= essay Wildlife
+ the slow reaches of {n} are rich in pike and bream , and anglers come from far away
+ sand martins nest in its steep banks , and bats hunt over the water at dusk
+ beavers returned to {n} after an absence of several generations
+ water lilies close some of the side arms of {n} to boats in summer
+ wardens count the herons on {n} every April
? what animals live in {n}
? wildlife of {n}
? what fish can you catch in {n}
? {n} plants and animals
? which creatures are found along {n}
? what lives in the waters of {n}
~ an animal hospital near {n} takes in swans that have flown into wires

= essay Floods
+ {n} floods when warm rain falls on deep snow
+ the worst flood carried away mills , hay barns and a wooden church that came to rest upright
+ after it , banks were raised and meadows beside {n} were given back to the water
+ alarm bells along {n} are still tested on the first of March
+ insurance on cellars near {n} is therefore dear
? why does {n} flood
? flooding on {n}
? what happened in the great flood of {n}
? {n} flood history
? what causes {n} to overflow
? how did high water on {n} damage the valley
~ the word flood appears in many field names beside {n}

= roster Ferries | Since:year | Landing:place | Trips a year:count
? list of ferries on {n}
? where is there a ferry over {n}
? {n} ferries
? ferry landings on {n}
? what ferries are there on {n}
? all the places where a boat takes you across {n}
"""
